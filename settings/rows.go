package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hone-ml/hone/event"
)

const (
	maxQueue = 1000
	maxList  = 1000
	maxName  = 1000 // characters of a name in a list
)

// rows is the table.
var rows = []row{
	{
		key: "strategy",
		typ: func(t *Table) string { return "one of " + strings.Join(t.strategies, ", ") },
		doc: "how the tasks to ask about next are ranked; one that does worse than random is left for it, and whoever names it again has it compared anew",
		parse: func(t *Table, v *Values, text string) (string, string) {
			return oneOf(&v.Ranking.Strategy, text, t.strategies)
		},
		write: func(v *Values) string { return v.Ranking.Strategy },
	},
	{
		key: "queue",
		typ: constant(fmt.Sprintf("a whole number from 1 to %d", maxQueue)),
		doc: "how many tasks are kept in the queue, each with a prediction in Label Studio",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > maxQueue {
				return "not a whole number in range", fmt.Sprintf("set it between 1 and %d", maxQueue)
			}
			v.Ranking.Queue = n
			return "", ""
		},
		write: func(v *Values) string { return strconv.Itoa(v.Ranking.Queue) },
	},
	{
		key: "random_share",
		typ: constant("a number from 0 to 1"),
		doc: "the share of random tasks among those asked, by which is measured what the strategy gains; with 0 nothing keeps it from losing to random",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			return number(&v.Ranking.RandomShare, text, func(x float64) bool { return x >= 0 && x <= 1 }, "set it between 0 and 1")
		},
		write: func(v *Values) string { return formatNumber(v.Ranking.RandomShare) },
	},
	{
		key: "odds",
		typ: constant("one of " + strings.Join(onOff, ", ")),
		doc: "whether each task is drawn with a known probability, so that all answers say how common the labels are (`hone shares`), and not the random ones alone; the model takes somewhat more labels to be as accurate. With strategy=coverage, margin, entropy, least_confidence or random",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			problem, fix := oneOf(&text, text, onOff)
			v.Ranking.Odds = problem == "" && text == onOff[0]
			return problem, fix
		},
		write: func(v *Values) string {
			if v.Ranking.Odds {
				return onOff[0]
			}
			return onOff[1]
		},
	},
	{
		key: "suggestions",
		typ: constant("one of " + strings.Join(modes, ", ")),
		doc: "whether annotators see the model's answers; precise: a label is suggested once its precision has reached suggestions_precision",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			return oneOf(&v.Suggesting.Mode, text, modes)
		},
		write: func(v *Values) string { return v.Suggesting.Mode },
	},
	{
		key: "suggestions_precision",
		typ: constant("a number above 0, up to 1"),
		doc: "with suggestions=precise: the precision from which a label is suggested, of what the model said of about the last 50 tasks just before it learned them, " +
			"and never before 5 such answers with the label; of a Number: the accuracy",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			return number(&v.Suggesting.Precision, text, func(x float64) bool { return x > 0 && x <= 1 }, "set it above 0 and up to 1")
		},
		write: func(v *Values) string { return formatNumber(v.Suggesting.Precision) },
	},
	{
		key: "suggestions_off",
		typ: constant("a list of control tags by name, and of labels as control/label; with commas between, or as JSON"),
		doc: "what is never suggested, though it is learned and its tasks are asked about",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			names, problem, fix := list(text)
			if problem == "" {
				v.Suggesting.Off = names
			}
			return problem, fix
		},
		write: func(v *Values) string { return formatList(v.Suggesting.Off) },
	},
	{
		key: "threshold",
		typ: constant("a number between 0 and 1"),
		doc: "the probability from which a label is suggested where several may hold (choice=\"multiple\", Taxonomy)",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			return number(&v.Suggesting.Threshold, text, func(x float64) bool { return x > 0 && x < 1 }, "set it above 0 and below 1")
		},
		write: func(v *Values) string { return formatNumber(v.Suggesting.Threshold) },
	},
	{
		key:   "learn_from_users",
		typ:   constant("a list of Label Studio's user ids, with commas between; empty: everybody"),
		doc:   "the only annotators whose annotations are learned; the queue passes over what anybody has labelled all the same",
		parse: parseUsers,
		write: func(v *Values) string {
			ids := make([]string, len(v.Learning.Users))
			for i, id := range v.Learning.Users {
				ids[i] = strconv.FormatInt(int64(id), 10)
			}
			return strings.Join(ids, ",")
		},
	},
	{
		key:   "learn_from_states",
		typ:   constant("a list of " + strings.Join(states, ", ") + ", with commas between"),
		doc:   "the states of annotations that are learned; a skipped one that has an answer, though it was skipped; submitted: neither skipped nor ground truth",
		parse: parseStates,
		write: func(v *Values) string {
			var out []string
			for i, is := range []bool{v.Learning.Submitted, v.Learning.GroundTruth, v.Learning.Skipped} {
				if is {
					out = append(out, states[i])
				}
			}
			return strings.Join(out, ",")
		},
	},
	{
		key: "encoder",
		typ: func(t *Table) string { return "one of " + strings.Join(t.encoders, ", ") },
		doc: "the encoder that turns texts into features; default is learner.encoder of the configuration, which may be named too; a change trains the model anew on its labels",
		parse: func(t *Table, v *Values, text string) (string, string) {
			if problem, fix := oneOf(&v.Encoder, text, t.encoders); problem != "" {
				return "no encoder that this hone has for a project", fix + "; for another set learner.encoder in the configuration and start hone again"
			}
			return "", ""
		},
		write: func(v *Values) string { return v.Encoder },
	},
	{
		key: "adapt",
		typ: constant("one of " + strings.Join(adapting, ", ")),
		doc: "whether the transformer of the configured encoder, or else the one that is part of hone, adapts to the labels of the project, where its encoder reads that one; with minilm it takes one to four minutes of one core each time the labels have grown by about a third",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			return oneOf(&v.Adapt, text, adapting)
		},
		write: func(v *Values) string { return v.Adapt },
	},
	{
		key: "descriptions",
		typ: constant(`JSON: {"LABEL": ["a line", "another"]}, or {"CONTROL": {"LABEL": ["a line"]}}; empty: none`),
		doc: "lines that say what each label means, in words that texts with it might have; the model begins with them as with the labels' names. `hone describe` writes it",
		parse: func(_ *Table, v *Values, text string) (problem, fix string) {
			if text == "" {
				v.Descriptions = Descriptions{}
				return "", ""
			}
			d, err := ParseDescriptions([]byte(text))
			if err != nil {
				return err.Error(), "`hone describe --help` has an example"
			}
			v.Descriptions = d
			return "", ""
		},
		write: func(v *Values) string { return v.Descriptions.String() },
	},
	{
		key: "connection",
		typ: constant("one of " + strings.Join(connections, ", ")),
		doc: "how hone hears of changes; poll: it reads them every second or two, and Label Studio need not reach it. `hone connect` sets it",
		parse: func(_ *Table, v *Values, text string) (string, string) {
			return oneOf(&v.Connection, text, connections)
		},
		write: func(v *Values) string { return v.Connection },
	},
}

var (
	onOff       = []string{"on", "off"}
	adapting    = []string{AdaptAuto, AdaptOff}
	connections = []string{ConnectionWebhook, ConnectionPoll}
	modes       = []string{SuggestAlways, SuggestNever, SuggestPrecise}
	states      = []string{"submitted", "ground_truth", "skipped"}
)

func parseUsers(_ *Table, v *Values, text string) (problem, fix string) {
	names, problem, fix := list(text)
	if problem != "" {
		return problem, fix
	}
	var ids []event.UserID
	for _, n := range names {
		id, err := strconv.ParseInt(n, 10, 64)
		if err != nil || id < 1 {
			return fmt.Sprintf("%q is no user's id", shorten(n)), "write ids such as 1,5: completed_by in an export, or the number in the address of the person's page in Label Studio"
		}
		ids = append(ids, event.UserID(id))
	}
	slices.Sort(ids)
	v.Learning.Users = slices.Compact(ids)
	return "", ""
}

func parseStates(_ *Table, v *Values, text string) (problem, fix string) {
	names, problem, fix := list(text)
	if problem != "" {
		return problem, fix
	}
	fix = "write one or more of " + strings.Join(states, ", ")
	if len(names) == 0 {
		return "nothing would be learned", fix
	}
	for _, n := range names {
		if !slices.Contains(states, n) {
			return fmt.Sprintf("%q is no state", shorten(n)), fix
		}
	}
	v.Learning.Submitted = slices.Contains(names, states[0])
	v.Learning.GroundTruth = slices.Contains(names, states[1])
	v.Learning.Skipped = slices.Contains(names, states[2])
	return "", ""
}
