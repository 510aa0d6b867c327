package app

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/cut"
	"github.com/hone-ml/hone/learner/report"
	"github.com/hone-ml/hone/settings"
)

// describer keeps what describes labels as the setting of that name.
type describer struct{ *App }

var _ api.Describer = describer{}

const descriptionsKey = "descriptions"

func (d describer) Descriptions(ctx context.Context, id event.ProjectID) (api.Descriptions, error) {
	if err := d.requireKnown(ctx, id); err != nil {
		return api.Descriptions{Project: id}, err
	}
	have, err := d.Store.ProjectSettings(ctx, id)
	if err != nil {
		return api.Descriptions{Project: id}, err
	}
	return d.meanings(id, d.table.Values(have).Descriptions), nil
}

func (d describer) Describe(ctx context.Context, id event.ProjectID, object []byte) (api.Descriptions, error) {
	out := api.Descriptions{Project: id}
	read, err := settings.ParseDescriptions(object)
	if err != nil {
		return out, withStatus{err, http.StatusBadRequest}
	}
	change := api.Change{Key: descriptionsKey}
	if text := read.String(); text != "" {
		change.Value = &text
	}
	done, err := configurer(d).Configure(ctx, id, []api.Change{change})
	if err != nil {
		return out, err
	}
	out, err = d.Descriptions(ctx, id)
	out.Applied = done.Applied
	return out, err
}

// meanings says what is known of each label of a project with these lines.
func (a *App) meanings(id event.ProjectID, of settings.Descriptions) api.Descriptions {
	out := api.Descriptions{
		Project: id, Applied: true, Descriptions: json.RawMessage(cmp.Or(of.String(), "{}")), Controls: []api.DescribedControl{},
	}
	st, ok := a.Learner.Status(id)
	if !ok {
		return out // its model is being loaded
	}
	for _, h := range st.Heads {
		if len(h.Labels) == 0 {
			continue
		}
		c := api.DescribedControl{Control: h.Control}
		for i, label := range h.Labels {
			l := api.DescribedLabel{Label: label, Lines: []string{}}
			if i < len(h.Meanings) {
				l.Lines, l.Hint = append(l.Lines, of.Lines(h.Control, label)...), h.Meanings[i].Hint
				l.Source = sourceOf(l.Lines, l.Hint)
			}
			c.Labels = append(c.Labels, l)
		}
		out.Controls = append(out.Controls, c)
	}
	out.Unused = of.Unknown(describable(st))
	return out
}

func sourceOf(lines []string, hint string) string {
	switch {
	case len(lines) > 0:
		return api.SourceLines
	case hint != "":
		return api.SourceHint
	}
	return api.SourceName
}

// addMeanings counts the labels that say more than their names.
func addMeanings(to *api.Head, of report.Head) {
	for _, m := range of.Meanings {
		switch sourceOf(m.Lines, m.Hint) {
		case api.SourceLines:
			to.Described++
		case api.SourceHint:
			to.Hinted++
		}
	}
}

// describable returns the labels whose lines are read, by control.
func describable(st report.Status) map[string][]string {
	out := map[string][]string{}
	for _, h := range st.Heads {
		for _, m := range h.Meanings {
			out[h.Control] = append(out[h.Control], m.Label)
		}
	}
	return out
}

// maxListed is how many characters of a list of labels an error has.
const maxListed = 500

// checkDescribed refuses lines of labels that the label config does not have, or whose lines are
// not read: they would be lost without a word.
func checkDescribed(st report.Status, of settings.Descriptions) error {
	labels := describable(st)
	unknown := of.Unknown(labels)
	if len(unknown) == 0 {
		return nil
	}
	all := map[string][]string{}
	var names []string
	for _, h := range st.Heads {
		all[h.Control] = h.Labels
		names = append(names, labels[h.Control]...)
	}
	f := settings.Fault{Key: descriptionsKey, Value: unknown[0], Problem: "no label that hone learns", Fix: "the labels are " + cut.Ellipsis(strings.Join(names, ", "), maxListed)}
	if !slices.Contains(of.Unknown(all), unknown[0]) {
		f.Problem = "a label whose lines are not read: those of Choices and Taxonomy are"
	}
	if len(names) == 0 {
		f.Fix = "the project has no Choices and no Taxonomy that hone learns"
	}
	return settings.Faults{f}
}
