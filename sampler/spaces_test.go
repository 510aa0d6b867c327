package sampler

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/coverage"
)

// Projects that are labelled in turns share one budget: what one keeps goes when another needs the
// room, and the queues are those of a budget without end.
func TestProjectsShareABudget(t *testing.T) {
	queues := func(budget int) (out [][]Item, vectors int, s *Sampler) {
		brain, groups := newBrain(200), &groups{of: 8}
		s, err := New(covering(brain, groups))
		require.NoError(t, err)
		s.spaces.budget = budget
		var workers []*worker
		for p := range event.ProjectID(3) {
			w := newWorker(s, p+1)
			require.NoError(t, w.update(t.Context(), pending{wholePool: true}))
			workers = append(workers, w)
		}
		for id := event.TaskID(1); id <= 24; id++ {
			brain.is(func() { brain.labelled[id] = true })
			w := workers[id%3]
			require.NoError(t, w.update(t.Context(), pending{wholePool: true}))
			out = append(out, w.queue.Items)
			assert.LessOrEqual(t, s.spaces.used(), budget)
		}
		return out, groups.asked, s
	}
	want, few, s := queues(1 << 30)
	bytes := s.spaces.used()
	require.Len(t, s.spaces.kept, 3)
	got, many, s := queues(bytes / 2)
	assert.Equal(t, want, got)
	assert.Greater(t, many, 3*few, "what had to go is read again")
	assert.Len(t, s.spaces.kept, 1)
	got, _, s = queues(bytes / 10)
	assert.Equal(t, want, got, "none of them fits")
	assert.Empty(t, s.spaces.kept)
}

// What was ranked last is kept, as much as there is room for, and nothing is handed out twice.
func TestSpacesKeepWhatWasRankedLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const budget = 20_000
		s := newSpaces(budget)
		var last []event.ProjectID // the one ranked last at the end
		sizes := map[event.ProjectID]int{}
		forget := func(p event.ProjectID) {
			delete(sizes, p)
			for i := range last {
				if last[i] == p {
					last = append(last[:i:i], last[i+1:]...)
					return
				}
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			p := event.ProjectID(rapid.IntRange(1, 6).Draw(t, "project"))
			_, kept := sizes[p]
			if got := s.take(p); (got != nil) != kept {
				t.Fatalf("project %d is kept %v, want %v", p, got != nil, kept)
			}
			forget(p)
			if !rapid.Bool().Draw(t, "goes on") {
				continue
			}
			points := make([]coverage.Point, rapid.IntRange(0, 90).Draw(t, "points"))
			for i := range points {
				points[i] = coverage.Point{ID: int64(i + 1), Vector: []float32{1, float32(i)}}
			}
			c := new(coverer)
			if err := c.space.Update(t.Context(), nil, points); err != nil {
				t.Fatal(err)
			}
			s.put(p, c)
			last, sizes[p] = append(last, p), c.space.Bytes()
			all := 0
			for _, n := range sizes {
				all += n
			}
			for all > budget {
				all -= sizes[last[0]]
				forget(last[0])
			}
			if s.used() != all || len(s.kept) != len(sizes) {
				t.Fatalf("%d bytes of %d projects, want %d of %d", s.used(), len(s.kept), all, len(sizes))
			}
		}
	})
}
