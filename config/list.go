package config

import "strings"

// List is several values in one text, separated by commas.
type List string

// ParseList reads a list; empty parts are left out.
func ParseList(text string) List {
	return List(strings.Join(List(text).Values(), ", "))
}

// Values are the parts, nil when there is none.
func (l List) Values() []string {
	var out []string
	for part := range strings.SplitSeq(string(l), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
