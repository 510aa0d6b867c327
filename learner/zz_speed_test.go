//go:build zz

package learner_test

import (
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/feature/encoders"
)

func BenchmarkZZPredict(b *testing.B) {
	encoder, err := encoders.Open("static", encoders.Options{})
	must(b, err)
	l := start(b, openDisk(b), learner.Options{Encoder: encoder.Fast})
	config := `<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="topic A"/><Choice value="topic B"/><Choice value="topic C"/><Choice value="topic D"/></Choices></View>`
	c := &event.Changed{Project: 1, LabelConfig: config, At: at(1)}
	all := newslike.Make(60000, 4, 1)
	for i, text := range all[:8000] {
		id := i + 1
		c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(id), Data: data(text.Text), UpdatedAt: at(1)})
		c.Annotations = append(c.Annotations, event.Annotation{
			ID: event.AnnotationID(id), Task: event.TaskID(id), UpdatedAt: at(1), Result: result(region("c", text.Label)),
		})
	}
	apply(b, l, c)
	rest(b, l)
	i := 8000
	tasks := make([]event.Task, 100)
	b.Run("p", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			for t := range tasks {
				tasks[t] = event.Task{ID: event.TaskID(i + 1), Data: data(all[i].Text)}
				i++
				if i == len(all) {
					i = 8000
				}
			}
			b.StartTimer()
			if _, _, err := l.Distributions(bg, 1, tasks); err != nil {
				b.Fatal(err)
			}
		}
	})
}
