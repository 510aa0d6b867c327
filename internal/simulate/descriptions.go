package simulate

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/settings"
)

// readDescriptions reads the file of descriptions, none without one. It refuses those of labels
// that the label config does not have.
func (s Source) readDescriptions(decisions head.Decisions) (settings.Descriptions, error) {
	if s.Descriptions == "" {
		return settings.Descriptions{}, nil
	}
	f, err := os.Open(s.Descriptions)
	if err != nil {
		return settings.Descriptions{}, err
	}
	d, err := settings.ReadDescriptions(s.Descriptions, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return d, err
	}
	labels := map[string][]string{}
	var known []string
	for _, q := range questionsOf(decisions) {
		labels[q.Control.Name] = q.labels
		known = append(known, q.labels...)
	}
	if unknown := d.Unknown(labels); len(unknown) > 0 {
		return d, fmt.Errorf("%s: there is no label %q; the labels are %s", s.Descriptions, unknown[0], strings.Join(known, ", "))
	}
	return d, nil
}
