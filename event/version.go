package event

import (
	"slices"
	"strconv"
	"strings"
)

// LiveIndex returns the index of the live version, -1 without one.
func LiveIndex(versions []Version) int {
	return slices.IndexFunc(versions, func(v Version) bool { return v.Live })
}

// NextVersionName returns hone-N, where N is one above the highest in use.
func NextVersionName(versions []Version) string {
	n := 0
	for _, v := range versions {
		if i, err := strconv.Atoi(strings.TrimPrefix(v.Name, "hone-")); err == nil {
			n = max(n, i)
		}
	}
	return "hone-" + strconv.Itoa(n+1)
}

// AfterForgotten returns the entries of a batch behind the last Forgotten, and whether there
// is one. What stands before it is about what is to be forgotten.
func AfterForgotten(batch []Event) (rest []Event, forgotten bool) {
	for i := len(batch) - 1; i >= 0; i-- {
		if _, is := batch[i].(*Forgotten); is {
			return batch[i+1:], true
		}
	}
	return batch, false
}
