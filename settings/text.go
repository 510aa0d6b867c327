package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func constant(s string) func(*Table) string { return func(*Table) string { return s } }

// oneOf reads one of some names, or any name when the names are nil.
func oneOf(to *string, text string, names []string) (problem, fix string) {
	if text == "" || names != nil && !slices.Contains(names, text) {
		return "not one of its values", "write one of " + strings.Join(names, ", ")
	}
	*to = text
	return "", ""
}

// number reads a number; ok is false of NaN too, if it compares.
func number(to *float64, text string, ok func(float64) bool, fix string) (problem, _ string) {
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return "not a number", fix
	case !ok(x):
		return "out of range", fix
	}
	*to = x
	return "", ""
}

func formatNumber(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// list reads names with commas between, or a JSON list of texts and numbers. Empty names
// are passed over.
func list(text string) (names []string, problem, fix string) {
	names, isJSON := jsonList(text)
	if !isJSON {
		names = strings.Split(text, ",")
	}
	out := []string(nil)
	for _, n := range names {
		n = strings.TrimSpace(n)
		switch {
		case n == "" || slices.Contains(out, n):
		case !utf8.ValidString(n) || utf8.RuneCountInString(n) > maxName:
			return nil, "it has a name that is no text, or too long", fmt.Sprintf("a name has at most %d characters", maxName)
		default:
			out = append(out, n)
		}
	}
	if len(out) > maxList {
		return nil, fmt.Sprintf("%d names are too many", len(out)), fmt.Sprintf("give at most %d", maxList)
	}
	return out, "", ""
}

// jsonList reads a JSON list of texts and numbers.
func jsonList(text string) (names []string, ok bool) {
	if !strings.HasPrefix(strings.TrimSpace(text), "[") {
		return nil, false
	}
	var raw []json.RawMessage
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil, false
	}
	for _, r := range raw {
		var s string
		if json.Unmarshal(r, &s) != nil {
			s = string(bytes.TrimSpace(r))
		}
		names = append(names, s)
	}
	return names, true
}

// formatList is what list reads: with commas where no name has one.
func formatList(names []string) string {
	plain := strings.Join(names, ",")
	if read, problem, _ := list(plain); problem == "" && slices.Equal(read, names) {
		return plain
	}
	b, err := json.Marshal(names)
	if err != nil {
		return plain // names are texts
	}
	return string(b)
}
