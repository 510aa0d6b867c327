package simulate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/settings"
)

// Source names the files of a simulation.
type Source struct {
	// Train and Test are JSONL, CSV or TSV with a header, or Label Studio JSON exports,
	// gzipped or not. What is in Test is only predicted, never learned; it may be empty
	// where nothing is to be measured.
	Train, Test string
	// HoldOut is about the share of Train that is held out to measure on when there is no
	// Test; 0: none.
	HoldOut float64
	// Text and Label are the columns, or keys of JSONL, that hold the text and the label;
	// empty: text and label.
	Text, Label string
	// LabelSeparator separates several labels in one cell; empty: a cell is one label.
	LabelSeparator string
	// LabelConfig is a file with Label Studio's XML; empty: one Choices with the
	// labels in the data.
	LabelConfig string
	// Hints has the model read the hints of the labels in LabelConfig, as it does in Label
	// Studio; without, it does not.
	Hints bool
	// Descriptions is a file with lines that say what labels mean, as settings reads them;
	// empty: none.
	Descriptions string
	// Anonymous replaces the names of the labels by A1, A2 and so on, to see what
	// the names contribute.
	Anonymous bool
}

// Data is labelled data ready to be asked about. It is immutable.
type Data struct {
	// Config is the label config that is learned under.
	Config    string
	questions []question
	pool      []labelledTask
	test      []labelledTask
	hints     int // left out
	heldOut   *HeldOut
	// descriptions are those of the labels in Config.
	descriptions settings.Descriptions
}

// Hints is the number of the label config's hints that are left out.
func (d *Data) Hints() int { return d.hints }

// Pool is the number of tasks that can be labelled.
func (d *Data) Pool() int { return len(d.pool) }

// Test is the number of tasks that are measured on.
func (d *Data) Test() int { return len(d.test) }

// Classes is the number of labels, over all controls.
func (d *Data) Classes() int {
	n := 0
	for _, q := range d.questions {
		n += len(q.labels)
	}
	return n
}

// Labelled is a task that can be labelled, and what each annotator sends.
type Labelled struct {
	Task    event.Task
	Results []json.RawMessage
}

// Labelled are the tasks to learn from, in the order of the data.
func (d *Data) Labelled() []Labelled {
	out := make([]Labelled, len(d.pool))
	for i, it := range d.pool {
		out[i] = Labelled{it.task, it.results}
	}
	return out
}

// Needs returns the requests for everything that is read of the tasks, and for the labels,
// in no particular order.
func (d *Data) Needs() []encode.Request {
	var out []encode.Request
	for _, q := range d.questions {
		for _, l := range q.labels {
			out = append(out, encode.Request{Text: l})
		}
		for _, it := range slices.Concat(d.pool, d.test) {
			if !q.isSpans() {
				if t, err := content.Joined(q.objects, it.task.Data); err == nil {
					out = append(out, encode.Request{Text: t})
				}
				continue
			}
			for _, o := range q.objects {
				if p, err := content.Passage(o, it.task.Data); err == nil {
					out = append(out, encode.Request{Text: p.Text, Tokens: true})
				}
			}
		}
	}
	return out
}

// question is one control that is learned.
type question struct {
	labelconfig.Control
	answer  head.Answer
	objects []labelconfig.Object
	labels  []string
}

// labelledTask is a task with its answers.
type labelledTask struct {
	task   event.Task
	number int // as HeldOut.Numbers
	// results are the annotators' results, one for each.
	results []json.RawMessage
	// truth is the majority's answer to each question; nil when it is unanswered.
	truth []*answer
}

// answer is an answer to one question: labels, or the spans' marks for a control that labels
// spans.
type answer struct{ labels []string }

// Load reads the data; errors name the file, the line and the fix.
func Load(s Source) (*Data, error) {
	if s.Text != "" && s.LabelConfig != "" {
		return nil, fmt.Errorf("the text's column is named %q, but the object tags of %s say which columns are shown: rename the column there", s.Text, s.LabelConfig)
	}
	train, err := s.readFile(s.Train)
	if err != nil {
		return nil, err
	}
	var test []labelledEntry
	if s.Test != "" {
		if test, err = s.readFile(s.Test); err != nil {
			return nil, err
		}
	}
	d := &Data{}
	if s.LabelConfig != "" {
		b, err := os.ReadFile(s.LabelConfig)
		if err != nil {
			return nil, err
		}
		d.Config = string(b)
	} else if d.Config, err = inferConfig(slices.Concat(train, test)); err != nil {
		return nil, err
	}
	cfg, err := labelconfig.Parse(d.Config)
	if err == nil && !s.Hints && countHints(cfg) > 0 {
		if d.Config, d.hints, err = withoutHints(d.Config); err == nil {
			cfg, err = labelconfig.Parse(d.Config)
		}
	}
	var decisions head.Decisions
	if err == nil {
		decisions = head.Decide(cfg)
		err = decisions.Check()
	}
	if err != nil {
		if s.LabelConfig != "" {
			return nil, fmt.Errorf("%s: %w", s.LabelConfig, err)
		}
		return nil, fmt.Errorf("the label config made from the labels in the data does not work; give one with --label-config: %w", err)
	}
	if d.descriptions, err = s.readDescriptions(decisions); err != nil {
		return nil, err
	}
	b := relabeler{from: questionsOf(decisions), given: s.LabelConfig}
	b.to = b.from
	if s.Anonymous {
		d.Config, b.names = anonymizeLabels(cfg.Objects, decisions.Learned())
		if cfg, err = labelconfig.Parse(d.Config); err != nil {
			return nil, err
		}
		b.to = questionsOf(head.Decide(cfg))
		d.descriptions = d.descriptions.Renamed(b.names)
	}
	d.questions = b.to
	if s.Test == "" && s.HoldOut > 0 {
		if train, test, d.heldOut, err = holdOut(train, b.from, s.HoldOut); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Train, err)
		}
	}
	if d.pool, err = b.relabelAll(train, 1); err != nil {
		return nil, err
	}
	if d.test, err = b.relabelAll(test, 1+len(train)); err != nil {
		return nil, err
	}
	const unanswered = "%s: no task has an answer to a control of the label config"
	switch {
	case len(d.pool) == 0:
		return nil, fmt.Errorf(unanswered, s.Train)
	case len(d.test) == 0 && (s.Test != "" || d.heldOut != nil):
		return nil, fmt.Errorf(unanswered, cmp.Or(s.Test, "what is held out of "+s.Train))
	}
	return d, nil
}

func questionsOf(decisions head.Decisions) []question {
	var out []question
	for _, d := range decisions.Learned() {
		out = append(out, question{d.Control, d.Answer, d.Objects, d.Control.LabelNames()})
	}
	return out
}

// relabeler turns entries, answered under the config they were made with, into
// items answered under the config that is simulated.
type relabeler struct {
	from, to []question
	names    map[string]map[string]string // new label by control and old label; nil: the same
	given    string                       // file of the label config
}

func (b *relabeler) relabelAll(entries []labelledEntry, firstID int) ([]labelledTask, error) {
	var out []labelledTask
	for i, e := range entries {
		it := labelledTask{task: event.Task{ID: event.TaskID(firstID + i), Data: e.data}, number: e.number}
		said, err := b.answers(e)
		if err == nil {
			err = b.checkReadable(e.data)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.where, err)
		}
		b.encodeAnswers(&it, said)
		if slices.ContainsFunc(it.truth, func(t *answer) bool { return t != nil }) {
			out = append(out, it)
		}
	}
	return out, nil
}

// checkReadable returns an error when a task has no text for any question: it could never be
// learned or predicted.
func (b *relabeler) checkReadable(data json.RawMessage) error {
	var errs []error
	for _, q := range b.to {
		_, err := content.Joined(q.objects, data)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// answers returns each annotator's answers by question; nil where there is none.
func (b *relabeler) answers(e labelledEntry) ([][]*answer, error) {
	if e.spans {
		return b.tagged(e)
	}
	if e.results == nil {
		t, err := b.answer(e)
		return [][]*answer{{t}}, err
	}
	var out [][]*answer
	for _, rs := range e.results {
		row := make([]*answer, len(b.from))
		for i, q := range b.from {
			if q.isSpans() {
				row[i] = q.readMarks(rs, e.data)
				continue
			}
			row[i] = q.readAnswer(rs)
		}
		out = append(out, row)
	}
	return out, nil
}

// answer returns the answer in a line of JSONL.
func (b *relabeler) answer(e labelledEntry) (*answer, error) {
	if len(b.from) != 1 {
		return nil, fmt.Errorf("a line has the labels of one control, but %s has %d that hone learns: use a config with one, or a Label Studio export", b.given, len(b.from))
	}
	q := b.from[0]
	if !q.Multiple && len(e.labels) != 1 {
		return nil, fmt.Errorf(`it has %d labels, but <%s name=%q> takes one: make it choice="multiple", or keep one label`, len(e.labels), q.Type, q.Name)
	}
	t := &answer{}
	for _, l := range e.labels {
		name, ok := q.labelNamed(l)
		if !ok {
			if q.answer != head.AnswerLabels {
				return nil, fmt.Errorf("label %q is no answer that <%s name=%q> in %s takes: mend either, or take the line out", l, q.Type, q.Name, b.given)
			}
			return nil, fmt.Errorf("label %q is not in %s: add <Choice value=%q/> to it, or take the line out", l, b.given, l)
		}
		if !slices.Contains(t.labels, name) {
			t.labels = append(t.labels, name)
		}
	}
	return t, nil
}

// labelNamed returns the label that data calls l: by its name, its path, its value or its
// alias.
func (q *question) labelNamed(l string) (string, bool) {
	if q.isNumber() {
		return q.findNumber(l)
	}
	for _, l := range []string{l, choiceValue(l)} {
		if slices.Contains(q.labels, l) {
			return l, true
		}
		if at := slices.IndexFunc(q.Labels, func(x labelconfig.Label) bool { return strings.Join(x.Path, " / ") == l }); at >= 0 {
			return q.labels[at], true
		}
		if q.answer != head.AnswerLabels {
			continue
		}
		v, err := json.Marshal(map[string][]string{"choices": {l}})
		if err != nil {
			continue
		}
		a := regions.Choices(q.Control, []regions.Region{{FromName: q.Name, Value: v}})
		if a.OK && len(a.Labels) == 1 {
			return a.Labels[0], true
		}
	}
	return "", false
}

// encodeAnswers encodes the answers under the simulated config and sets the truth.
func (b *relabeler) encodeAnswers(it *labelledTask, said [][]*answer) {
	it.truth = make([]*answer, len(b.to))
	for _, row := range said {
		rs := []regions.Region{}
		none := false // no span, which is an answer without a region
		for i, t := range row {
			if t == nil {
				continue
			}
			q := &b.to[i]
			if q.isSpans() {
				none = true
				t.labels = renameMarks(t.labels, b.names[q.Name])
				rs = append(rs, q.markRegions(t.labels, it.task.Data)...)
				continue
			}
			if b.names[q.Name] != nil {
				renamed := make([]string, len(t.labels))
				for j, l := range t.labels {
					renamed[j] = b.names[q.Name][l]
				}
				t.labels = renamed
			}
			rs = append(rs, q.answerRegion(fmt.Sprintf("r%d", i+1), t.labels))
		}
		if len(rs) == 0 && !none {
			continue
		}
		result, err := json.Marshal(rs)
		if err != nil {
			continue // strings and their lists always marshal
		}
		it.results = append(it.results, result)
	}
	for i := range b.to {
		it.truth[i] = b.to[i].majority(said, i)
	}
}

// majority returns the majority's answer to question i. Of exclusive labels it is the most
// frequent one, the first in the config of several; otherwise all that half of the annotators
// gave.
func (q *question) majority(said [][]*answer, i int) *answer {
	if q.answer.Numeric() {
		return q.centralAnswer(said, i)
	}
	count := map[string]int{}
	n := 0
	for _, row := range said {
		if row[i] == nil {
			continue
		}
		n++
		for _, l := range row[i].labels {
			count[l]++
		}
	}
	if n == 0 {
		return nil
	}
	t, best := &answer{}, 0
	labels := q.labels
	if q.isSpans() {
		labels = slices.Sorted(maps.Keys(count))
	}
	for _, l := range labels {
		switch c := count[l]; {
		case (q.Multiple || q.isSpans()) && 2*c >= n:
			t.labels = append(t.labels, l)
		case !q.Multiple && !q.isSpans() && c > best:
			t.labels, best = []string{l}, c
		}
	}
	return t
}
