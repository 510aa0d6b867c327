package config

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with the configuration.
type Fault struct {
	// Key is the key in the file's notation, "sampler.queue"; for a name hone
	// does not know, the name as it was written.
	Key string
	// Value is what was given, *** for a secret; empty where showing it could
	// give something away or there is none.
	Value string
	// Source is where it was given: "config.yaml:12", "environment variable
	// HONE_LISTEN", "flag --listen"; empty for a Config that was not loaded.
	Source string
	// Problem and Fix are sentences without a full stop.
	Problem, Fix string
}

// Error is one line: key, value, place, problem and fix.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Key)
	if f.Value != "" {
		fmt.Fprintf(&b, " = %q", f.Value)
	}
	if f.Source != "" {
		fmt.Fprintf(&b, " (%s)", f.Source)
	}
	fmt.Fprintf(&b, ": %s; %s", f.Problem, f.Fix)
	return b.String()
}

// Faults is every fault found: first what could not be read, then values that
// make no sense. The order is the same in every run.
type Faults []Fault

// Error names all faults, one a line.
func (fs Faults) Error() string {
	lines := make([]string, 0, len(fs)+1)
	switch len(fs) {
	case 0:
		return "the configuration has no fault"
	case 1:
		return "configuration: " + fs[0].Error()
	}
	lines = append(lines, fmt.Sprintf("the configuration has %d faults:", len(fs)))
	for _, f := range fs {
		lines = append(lines, "  "+f.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a Fault.
func (fs Faults) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

func (fs Faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// maxCompared is more than the length of the longest name; longer texts resemble none.
const maxCompared = 64

// nearestName returns the candidate most like s, or "" when none is like it.
func nearestName(s string, candidates []string) string {
	if len(s) > maxCompared {
		return ""
	}
	best, bestD := "", max(2, len(s)/3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(s), strings.ToLower(c)); d < bestD {
			best, bestD = c, d
		}
	}
	return best
}

// editDistance is the number of letters to insert, delete or replace between a and
// b (Levenshtein 1966).
func editDistance(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	row := make([]int, len(rb)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range ra {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range rb {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(rb)]
}
