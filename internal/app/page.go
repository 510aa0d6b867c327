package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/cut"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/page"
)

// page returns the web page, of what the API says.
func (a *App) page(own *api.Server, gate *access.Gate) *page.Server {
	return page.New(page.Options{
		Projects: own.Projects, Tasks: pageTasks{a}, LabelStudio: pageLabelStudio{a}, Publisher: own.Publisher, Connector: own.Connector,
		Describer: own.Describer, Configurer: own.Configurer,
		Admits: gate.Admits, Sessions: a.Keys.Sessions(), RoleOfToken: a.Keys.RoleOfToken,
		Address: a.ownAddress, Version: a.version, Done: a.ending,
	})
}

// ownAddress is hone's address on this machine, made from where it listens.
func (a *App) ownAddress() string {
	at, err := api.BaseFromListen(a.ports[0].Addr().String(), a.cfg.TLS.On())
	if err != nil {
		return ""
	}
	return at
}

// pageTasks implements the page's port to tasks.
type pageTasks struct{ *App }

var _ page.Tasks = pageTasks{}

// shownText is how much of a text is shown, in characters.
const shownText = 400

func (p pageTasks) Show(ctx context.Context, id event.ProjectID, tasks []event.TaskID) ([]page.Shown, error) {
	out := make([]page.Shown, len(tasks))
	stored, err := p.Store.Tasks(ctx, id, tasks)
	if err != nil || len(stored) == 0 {
		return out, err
	}
	data := make([]json.RawMessage, len(stored))
	for i, t := range stored {
		data[i] = t.Task.Data
	}
	answers, ok, err := p.Learner.Answers(ctx, id, data)
	if err != nil {
		return nil, err
	}
	for i, t := range stored {
		at := slices.Index(tasks, t.Task.ID)
		if at < 0 {
			continue
		}
		out[at].Text = textOf(t.Task.Data, answers.Fields)
		if ok {
			out[at].Suggested = suggestedWords(answers.Answers[i])
		}
	}
	return out, nil
}

// textOf is the beginning of the texts in some fields of a task's data; without fields, of all texts.
func textOf(data json.RawMessage, fields []string) string {
	var all map[string]any
	if json.Unmarshal(data, &all) != nil {
		return ""
	}
	if len(fields) == 0 {
		for name := range all {
			fields = append(fields, name)
		}
		slices.Sort(fields)
	}
	var texts []string
	for _, f := range fields {
		if s, ok := all[f].(string); ok && s != "" {
			texts = append(texts, strings.Join(strings.Fields(cut.Runes(s, 4*shownText)), " "))
		}
	}
	return cut.Ellipsis(strings.Join(texts, " / "), shownText)
}

// suggestedWords says in a few words what is suggested.
func suggestedWords(answers []head.PredictedAnswer) string {
	var words []string
	for _, a := range answers {
		switch {
		case a.Number != nil:
			words = append(words, fmt.Sprintf("%.4g", *a.Number))
		case a.Spans != nil:
			words = append(words, fmt.Sprintf("%d spans", len(a.Spans)))
		case len(a.Labels) > 0:
			words = append(words, strings.Join(a.Labels, ", "))
		}
	}
	return cut.Ellipsis(strings.Join(words, "; "), 120)
}

// pageLabelStudio implements the page's port to Label Studio.
type pageLabelStudio struct{ *App }

var _ page.LabelStudio = pageLabelStudio{}

func (l pageLabelStudio) URL() string {
	c, err := l.Connection.Client()
	if err != nil {
		return ""
	}
	return strings.TrimRight(labelstudio.WithoutUserInfo(c.URL()), "/")
}

func (l pageLabelStudio) Projects(ctx context.Context) ([]page.Offered, error) {
	c, err := l.Connection.Client()
	if err != nil {
		return nil, err
	}
	all, err := c.Projects(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]page.Offered, len(all))
	for i, p := range all {
		out[i] = page.Offered{ID: p.ID, Title: cut.Ellipsis(p.Title, 120), Tasks: p.Tasks}
	}
	return out, nil
}
