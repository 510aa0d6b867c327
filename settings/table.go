package settings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hone-ml/hone/internal/cut"
)

// Table is the table of settings with the defaults of one hone. It is immutable.
type Table struct {
	defaults   Values
	strategies []string
	encoders   []string
}

// Defaults are the defaults that the configuration gives.
type Defaults struct {
	Ranking Ranking
	// Adapt is AdaptAuto or AdaptOff; "" stands for AdaptOff.
	Adapt string
}

// NewTable makes a table. strategies are the names that there are; nil takes any. encoders are
// the names that a project may choose beside DefaultEncoder.
func NewTable(d Defaults, strategies, encoders []string) *Table {
	return &Table{
		defaults: Values{
			Ranking: d.Ranking, Suggesting: DefaultSuggesting(), Learning: DefaultLearning(), Encoder: DefaultEncoder,
			Adapt: cmp.Or(d.Adapt, AdaptOff), Connection: ConnectionWebhook,
		},
		strategies: strategies,
		encoders:   append([]string{DefaultEncoder}, encoders...),
	}
}

// Setting is one row of the table, as it stands for a project.
type Setting struct {
	Key string
	// Value and Default are as they are written after KEY=.
	Value, Default string
	// IsSet is true when somebody has set it, to whatever value.
	IsSet bool
	// Type says in words what it takes, Doc what it does.
	Type, Doc string
}

// row is a key and what can be done with its text.
type row struct {
	key string
	typ func(t *Table) string
	doc string
	// parse reads text into v. It says what is wrong and what to do; both are empty when
	// nothing is.
	parse func(t *Table, v *Values, text string) (problem, fix string)
	write func(v *Values) string
}

// Keys are all keys, in the order of the table.
func (t *Table) Keys() []string {
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.key
	}
	return keys
}

func rowOf(key string) (row, bool) {
	for _, r := range rows {
		if r.key == key {
			return r, true
		}
	}
	return row{}, false
}

// Values are the settings in force when set is what was set. What this hone does not know,
// or does not take, has its default: another hone may have stored it.
func (t *Table) Values(set map[string]string) Values {
	v, _ := t.read(set)
	return v
}

// Faults says, in a sentence each, what of the stored settings is not in force and why.
func (t *Table) Faults(set map[string]string) []string {
	_, faults := t.read(set)
	out := make([]string, len(faults))
	for i, f := range faults {
		out[i] = f.Error() + "; the default holds"
	}
	return out
}

func (t *Table) read(set map[string]string) (Values, []Fault) {
	v := t.defaults
	var faults []Fault
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if f := t.parse(&v, key, set[key]); f != nil {
			faults = append(faults, *f)
		}
	}
	return v, faults
}

// parse reads a text into v and leaves v as it is when it cannot.
func (t *Table) parse(v *Values, key, text string) *Fault {
	r, known := rowOf(key)
	if !known {
		return &Fault{Key: key, Value: text, Problem: "no such setting", Fix: "the settings are " + strings.Join(t.Keys(), ", ")}
	}
	next := *v
	if problem, fix := r.parse(t, &next, text); problem != "" {
		return &Fault{Key: key, Value: text, Problem: problem, Fix: fix}
	}
	*v = next
	return nil
}

// List are all settings of a project for which set is what was set.
func (t *Table) List(set map[string]string) []Setting {
	v, defaults := t.Values(set), t.defaults
	out := make([]Setting, len(rows))
	for i, r := range rows {
		_, isSet := set[r.key]
		out[i] = Setting{Key: r.key, Value: r.write(&v), Default: r.write(&defaults), IsSet: isSet, Type: r.typ(t), Doc: r.doc}
	}
	return out
}

// Pair is a setting that somebody wants to change; a nil Value means the default.
type Pair struct {
	Key   string
	Value *string
}

// Check validates pairs and returns what they set, each in its one spelling, and what they
// put back to its default. The error is Faults with everything that is wrong.
func (t *Table) Check(pairs []Pair) (set map[string]string, reset []string, err error) {
	set = map[string]string{}
	var faults Faults
	seen := map[string]bool{}
	for _, p := range pairs {
		v := t.defaults
		text := ""
		if p.Value != nil {
			text = *p.Value
		}
		r, known := rowOf(p.Key)
		var fault *Fault
		switch {
		case seen[p.Key]:
			fault = &Fault{Key: p.Key, Value: text, Problem: "given twice", Fix: "give each setting once"}
		case !known || p.Value != nil:
			fault = t.parse(&v, p.Key, text)
		}
		seen[p.Key] = true
		switch {
		case fault != nil:
			faults = append(faults, *fault)
		case p.Value == nil:
			reset = append(reset, p.Key)
		default:
			set[p.Key] = r.write(&v)
		}
	}
	if len(pairs) == 0 {
		faults = append(faults, Fault{Problem: "no setting is given", Fix: "the settings are " + strings.Join(t.Keys(), ", ")})
	}
	if len(faults) > 0 {
		return nil, nil, faults
	}
	return set, reset, nil
}

// Fault is what is wrong with one pair.
type Fault struct {
	Key, Value string
	// Problem and Fix are sentences without a full stop.
	Problem, Fix string
}

// maxShown is how much of a value a fault shows.
const maxShown = 80

func (f Fault) Error() string {
	if f.Key == "" {
		return f.Problem + "; " + f.Fix
	}
	return fmt.Sprintf("%s = %q: %s; %s", shorten(f.Key), shorten(f.Value), f.Problem, f.Fix)
}

func shorten(s string) string { return cut.Ellipsis(s, maxShown) }

// Faults are what is wrong with pairs.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// maxLogged is how many characters of a setting are logged.
const maxLogged = 200

// Abridged returns settings as they are logged: long values are cut short.
func Abridged(configured map[string]string) map[string]string {
	out := maps.Clone(configured)
	for key, value := range out {
		out[key] = cut.Ellipsis(value, maxLogged)
	}
	return out
}
