package statustext

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

func TestStatusSaysWhyTasksAreAsked(t *testing.T) {
	printed := func(q api.Queue) string { return printed(api.Project{ID: 3, Queue: q}) }
	q := api.Queue{Strategy: "coverage", RankedBy: "margin", Pushed: 1}
	for id := range event.TaskID(7) {
		q.Tasks = append(q.Tasks, id+1)
		q.Reasons = append(q.Reasons, api.Reason{Text: "unsure between a\x1b[31m\t\u202eb (0.51)\nand c (0.49)"})
	}
	out := printed(q)
	assert.Regexp(t, `(?m)^  asks next +1 2 3 4 5 of 7 \(coverage; margin stands in until it can\), 1 of them in Label Studio$`, out)
	assert.Regexp(t, `(?m)^    task 5 +unsure between a \[31m  b \(0.51\) and c \(0.49\)$`, out)
	assert.NotContains(t, out, "task 6")
	for _, by := range []string{"", "coverage"} {
		q.RankedBy = by
		assert.Contains(t, printed(q), "(coverage)")
	}
	q.RankedBy = "random"
	assert.Contains(t, printed(q), "(coverage; nothing is known yet, so at random)")
}
