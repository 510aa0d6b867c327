package labelconfig

import (
	"strconv"
	"strings"
)

const (
	// defaultRating is Label Studio's maxRating where the config says none.
	defaultRating = 5
	// MaxRating is more stars than anybody can tell apart.
	MaxRating = 100
)

// ratings are the labels of a Rating, "1" to maxRating; none when that is no
// number hone takes.
func ratings(most string) []Label {
	n, err := strconv.Atoi(strings.TrimSpace(most))
	if strings.TrimSpace(most) == "" {
		n, err = defaultRating, nil
	}
	if err != nil || n < 1 || n > MaxRating {
		return nil
	}
	out := make([]Label, n)
	for i := range out {
		s := strconv.Itoa(i + 1)
		out[i] = Label{Value: s, Path: []string{s}}
	}
	return out
}
