package labelconfig

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// defaultRating is Label Studio's maxRating where the config says none.
	defaultRating = 5
	// mostRating is more stars than anybody can tell apart.
	mostRating = 100
)

// ratings are the labels of a Rating, "1" to maxRating; none when that is no
// number hone takes.
func ratings(most string) []Label {
	n, err := strconv.Atoi(strings.TrimSpace(most))
	if strings.TrimSpace(most) == "" {
		n, err = defaultRating, nil
	}
	if err != nil || n < 1 || n > mostRating {
		return nil
	}
	out := make([]Label, n)
	for i := range out {
		s := strconv.Itoa(i + 1)
		out[i] = Label{Value: s, Path: []string{s}}
	}
	return out
}

// ratingFault says why a Rating cannot be learned, empty when it can.
func (c *Control) ratingFault() string {
	if len(c.Labels) > 1 {
		return ""
	}
	most := ""
	for name, v := range c.Attrs {
		if strings.EqualFold(name, "maxRating") {
			most = v
		}
	}
	return fmt.Sprintf("has maxRating=%q, which is not a number from 2 to %d", most, mostRating)
}
