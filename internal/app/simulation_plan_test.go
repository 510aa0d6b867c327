package app_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hone-ml/hone/event"
)

const (
	leastSteps  = 60
	leastFaults = 3
)

// kind is something that may happen.
type kind struct {
	name   string
	weight int
	fault  bool
	// off says why it does not happen unless it is asked for: what it would find is
	// known and not mended yet.
	off string
	do  func(w *world, r *rand.Rand)
}

// allKinds are what may happen. A seed's plan depends on this list: what is new
// goes to the end.
var allKinds = []kind{
	{name: "annotate", weight: 30, do: (*world).annotate},
	{name: "burst", weight: 8, do: func(w *world, r *rand.Rand) {
		for range 3 + r.IntN(8) {
			[]func(*world, *rand.Rand){(*world).annotate, (*world).annotate, (*world).annotate, (*world).skip, (*world).edit, (*world).unmake}[r.IntN(6)](w, r)
		}
	}},
	{name: "skip", weight: 5, do: (*world).skip},
	{name: "edit", weight: 10, do: (*world).edit},
	{name: "delete", weight: 8, do: (*world).unmake},
	{name: "draft", weight: 2, do: (*world).draft},
	{name: "import", weight: 4, do: func(w *world, r *rand.Rand) { w.add(w.any(r), 1+r.IntN(5), r) }},
	{name: "delete-task", weight: 3, do: (*world).dropTask},
	{name: "edit-task", weight: 3, do: (*world).editTask},
	{name: "title", weight: 2, do: (*world).retitle},
	{name: "hostile-task", weight: 3, do: (*world).hostileTask},
	{name: "hostile-answer", weight: 4, do: (*world).hostileAnswer},
	{name: "config", weight: 3, do: (*world).reconfigure},
	{name: "wait", weight: 3, do: func(w *world, r *rand.Rand) { w.rest(time.Duration(r.Int64N(int64(2 * time.Hour)))) }},

	{name: "hooks-lost", weight: 3, fault: true, do: func(w *world, r *rand.Rand) { w.fates(r, func() fate { return fate{lost: true} }) }},
	{name: "hooks-twice", weight: 3, fault: true, do: func(w *world, r *rand.Rand) { w.fates(r, func() fate { return fate{twice: lag(r)} }) }},
	{name: "hooks-late", weight: 3, fault: true, do: func(w *world, r *rand.Rand) { w.fates(r, func() fate { return fate{late: lag(r)} }) }},
	{name: "hooks-unanswered", weight: 2, fault: true, do: func(w *world, r *rand.Rand) { w.fates(r, func() fate { return fate{answer: true} }) }},
	{name: "hooks-again", weight: 2, fault: true, do: (*world).repeatOld},
	{name: "hooks-garbage", weight: 2, fault: true, do: (*world).garbage},
	{name: "studio-slow", weight: 2, fault: true, do: func(w *world, r *rand.Rand) {
		w.during(&w.network.slow, r, time.Duration(1+r.Int64N(int64(40*time.Second))))
	}},
	{name: "studio-fails", weight: 3, fault: true, do: func(w *world, r *rand.Rand) { w.during(&w.network.failing, r, 0) }},
	{name: "studio-stuck", weight: 2, fault: true, do: (*world).holdUp},
	{name: "disk-full", weight: 2, fault: true, do: func(w *world, r *rand.Rand) {
		w.disk.mu.Lock()
		w.disk.full = span{until: time.Now().Add(time.Duration(1 + r.Int64N(int64(time.Minute))))}
		w.disk.mu.Unlock()
	}},
	{name: "disk-hiccup", weight: 4, fault: true, do: func(w *world, r *rand.Rand) {
		w.disk.mu.Lock()
		w.disk.refuse = 1 + r.IntN(4)
		w.disk.mu.Unlock()
	}},
	{name: "stop", weight: 3, fault: true, do: func(w *world, _ *rand.Rand) { w.restart() }},
	{name: "kill", weight: 4, fault: true, do: (*world).powerCut},

	{name: "backup", weight: 2, do: func(w *world, _ *rand.Rand) { w.backup = w.studio.Backup() }},
	{name: "restore", weight: 2, fault: true, do: (*world).restore},
	{name: "clock", weight: 2, fault: true, do: (*world).wrongClock},
	{name: "forgery", weight: 2, fault: true, do: (*world).forge},
	{name: "retrain", weight: 2, do: (*world).retrain},
	{name: "disk-stuck", weight: 2, fault: true, do: (*world).holdUpDisk},
	{name: "retrieve", weight: 2, do: (*world).retrieve},
	{name: "configure", weight: 6, do: (*world).configure},
	{name: "poll", weight: 4, do: (*world).poll},
}

// kindsOf reads what the flag says.
func kindsOf(said string) (out []kind, err error) {
	chosen := map[string]bool{}
	only := said != "" && !strings.ContainsAny(said[:1], "+-")
	for _, k := range allKinds {
		chosen[k.name] = said == "all" || k.off == "" && !only
	}
	for _, name := range strings.Split(said, ",") {
		bare := strings.TrimLeft(name, "+-")
		if _, known := chosen[bare]; !known && name != "" && name != "all" {
			return nil, fmt.Errorf("no kind of event is called %q", bare)
		}
		if name != "" && name != "all" {
			chosen[bare] = name[0] != '-'
		}
	}
	for _, k := range allKinds {
		if chosen[k.name] {
			out = append(out, k)
		}
	}
	return out, nil
}

// step is one entry of a plan.
type step struct {
	kind
	after  time.Duration
	chance uint64
}

// makePlan is what happens in a seed.
func makePlan(seed uint64, kinds []kind) []step {
	r := rand.New(rand.NewPCG(seed, 1))
	draw := func(only func(kind) bool) kind {
		sum := 0
		for _, k := range kinds {
			if only(k) {
				sum += k.weight
			}
		}
		at := r.IntN(max(1, sum))
		for _, k := range kinds {
			if only(k) {
				if at -= k.weight; at < 0 {
					return k
				}
			}
		}
		return kind{name: "nothing", do: func(*world, *rand.Rand) {}}
	}
	var plan []step
	for range leastSteps + r.IntN(40) {
		plan = append(plan, step{kind: draw(func(kind) bool { return true })})
	}
	for n := r.IntN(2); n < leastFaults; n++ {
		i := r.IntN(len(plan))
		plan = slices.Insert(plan, i, step{kind: draw(func(k kind) bool { return k.fault })})
	}
	for i := range plan {
		plan[i].chance = r.Uint64()
		switch r.IntN(10) {
		case 0, 1, 2, 3:
			plan[i].after = time.Duration(r.Int64N(int64(100 * time.Millisecond)))
		case 4, 5, 6, 7:
			plan[i].after = time.Duration(r.Int64N(int64(3 * time.Second)))
		case 8:
			plan[i].after = time.Duration(r.Int64N(int64(time.Minute)))
		default:
			plan[i].after = time.Duration(r.Int64N(int64(10 * time.Minute)))
		}
	}
	return plan
}

// step lets one thing happen.
func (w *world) step(i int, s step) {
	w.note("step %d: %s", i, s.name)
	s.do(w, rand.New(rand.NewPCG(w.seed, s.chance)))
	if !w.clockOK.IsZero() && time.Now().After(w.clockOK) {
		w.setClock(0)
	}
	w.rest(s.after)
}

func (w *world) any(r *rand.Rand) event.ProjectID { return w.projects[r.IntN(len(w.projects))] }

// lag is how much too late something comes.
func lag(r *rand.Rand) time.Duration {
	if r.IntN(4) == 0 {
		return time.Duration(1 + r.Int64N(int64(20*time.Minute)))
	}
	return time.Duration(1 + r.Int64N(int64(5*time.Second)))
}

func (w *world) fates(r *rand.Rand, of func() fate) {
	w.network.mu.Lock()
	defer w.network.mu.Unlock()
	for range 1 + r.IntN(6) {
		w.network.fates = append(w.network.fates, of())
	}
}

// during turns a disturbance on for a while.
func (w *world) during(s *span, r *rand.Rand, by time.Duration) {
	w.network.mu.Lock()
	defer w.network.mu.Unlock()
	*s = span{until: time.Now().Add(time.Duration(1 + r.Int64N(int64(5*time.Minute)))), by: by}
}
