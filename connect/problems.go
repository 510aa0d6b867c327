package connect

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// Problems are what keeps the loop of a project with Label Studio from working, as the last
// check found it. Each has a fix.
func (l *Link) Problems(p event.ProjectID) []api.Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.loops[p]; s != nil {
		return slices.Clone(s.broken)
	}
	return nil
}

// broken lists the projects that have problems.
func (l *Link) broken() (out []event.ProjectID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, s := range l.loops {
		if len(s.broken) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// had reports whether the last check of a project found a problem with one of these names.
func (l *Link) had(p event.ProjectID, names ...string) bool {
	return slices.ContainsFunc(l.Problems(p), func(s api.Step) bool { return slices.Contains(names, s.Name) })
}

// setProblems records the steps of a check that are not in order. It logs what appeared and
// what is gone, and tells OnProblem. At the first check since hone started it tells only what
// is another than before.
func (l *Link) setProblems(p event.ProjectID, steps []api.Step) {
	broken := slices.DeleteFunc(slices.Clone(steps), func(s api.Step) bool { return s.Level == "ok" })
	l.mu.Lock()
	s := l.loop(p)
	before, told := s.broken, s.broken
	if s.checked.IsZero() {
		told = readBroken(l.records[p].Broken)
	}
	s.broken, s.checked = broken, time.Now()
	registered := l.records[p].URL != ""
	l.mu.Unlock()
	log := l.o.Logger.WithField("project", p)
	for _, b := range broken {
		if !hasProblem(before, b) {
			log.Warnf("%s: %s (fix: %s)", b.Name, b.What, b.Fix)
		}
		if !hasProblem(told, b) {
			l.o.OnProblem(p, b, false)
		}
	}
	for _, b := range told {
		if !hasProblem(broken, b) {
			log.Infof("%s: mended, it is no longer so: %s", b.Name, b.What)
			l.o.OnProblem(p, b, true)
		}
	}
	if registered && !sameProblems(told, broken) {
		l.remember(context.Background(), p, func(r *event.Registration) { r.Broken = writeBroken(broken) })
	}
}

// sameProblems reports whether two lists hold the same problems.
func sameProblems(a, b []api.Step) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s api.Step) bool { return !hasProblem(b, s) })
}

// writeBroken and readBroken are the form in which problems are remembered; "" for none. What
// cannot be read is none.
func writeBroken(steps []api.Step) string {
	if len(steps) == 0 {
		return ""
	}
	b, err := json.Marshal(steps)
	if err != nil { // texts always encode
		return ""
	}
	return string(b)
}

func readBroken(text string) (steps []api.Step) {
	if json.Unmarshal([]byte(text), &steps) != nil {
		return nil
	}
	return steps
}

// hasProblem reports whether a problem is among some. It is the same one while its name and
// its fix are: figures in its sentence change.
func hasProblem(among []api.Step, b api.Step) bool {
	return slices.ContainsFunc(among, func(o api.Step) bool { return o.Name == b.Name && o.Fix == b.Fix })
}
