package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio/lstest"
)

var connectAdvice = regexp.MustCompile("run `hone (connect --project [0-9]+)`")

// What a command advises about a project that it refused is not refused in its turn: of a
// project that Label Studio lacks, or that cannot be learned, nobody is sent to connect.
func TestAdviceIsNotRefused(t *testing.T) {
	s := apptest.NewStudio(t)
	h := start(t, apptest.Settings(t.TempDir(), s))
	learnable := s.NewProject(2)
	boxes, err := s.CreateProject(t.Context(), "boxes", `<View><Image name="i" value="$i"/><RectangleLabels name="b" toName="i"><Label value="x"/></RectangleLabels></View>`)
	require.NoError(t, err)
	for _, command := range [][]string{
		{"status"},
		{"status", "--history"},
		{"versions"},
		{"rollback"},
		{"retrain"},
		{"reconcile"},
		{"rebuild"},
		{"prelabel"},
		{"encode"},
		{"configure"},
		{"describe"},
		{"describe", "--clear"},
		{"configure", "queue=5"},
	} {
		for id, want := range map[int64]string{
			int64(learnable): fmt.Sprintf("unknown project %d: run `hone connect --project %d`", learnable, learnable),
			int64(boxes.ID):  "hone cannot be connected with it as it is: the label config has nothing hone can learn",
			4711:             "unknown project 4711: Label Studio at " + s.Server.URL + " has none with this id",
		} {
			_, err := h.cmd(append(command[:len(command):len(command)], "--project", fmt.Sprint(id))...)
			require.ErrorContains(t, err, want, "hone %v", command)
			assert.Equal(t, id == int64(learnable), connectAdvice.MatchString(err.Error()), err)
		}
	}
	out, err := h.cmd("doctor", "--project", fmt.Sprint(boxes.ID))
	require.Error(t, err)
	assert.Contains(t, out, "first change the label config, of which hone can learn nothing; then run `hone connect")
	out, err = h.cmd("doctor", "--project", "4711")
	require.Error(t, err)
	assert.NotContains(t, out, "hone connect")

	s.SetFault(func(*http.Request) lstest.Fault { return lstest.Fault{Status: http.StatusInternalServerError} })
	_, err = h.cmd("status", "--project", "4711")
	require.ErrorContains(t, err, "Label Studio does not say whether it has it")
	assert.NotRegexp(t, connectAdvice, err.Error())
}

// A control that is left alone is named when a project is connected, not only when somebody
// looks for it.
func TestConnectNamesWhatIsLeftAlone(t *testing.T) {
	s := apptest.NewStudio(t)
	h := start(t, apptest.Settings(t.TempDir(), s))
	config := strings.Replace(apptest.LabelConfig, "</View>", `<TextArea name="why" toName="t"/><DateTime name="day" toName="t"/></View>`, 1)
	p, err := s.CreateProject(t.Context(), "mixed", config)
	require.NoError(t, err)
	for _, command := range []string{"connect", "doctor"} {
		out := h.ok(command, "--project", fmt.Sprint(p.ID))
		assert.Regexp(t, `(?m)^ok +(project 1, )?label config: learns topic$`, out, command)
		assert.Regexp(t, `(?m)^warn +(project 1, )?left alone: <TextArea name="why"> \w+.*$`, out, command)
		assert.Regexp(t, `(?m)^warn +(project 1, )?left alone: <DateTime name="day"> \w+.*$`, out, command)
	}
	var rep api.Report
	require.NoError(t, json.Unmarshal([]byte(h.ok("connect", "--project", "1", "--json")), &rep))
	assert.Len(t, slices.DeleteFunc(rep.Steps, func(s api.Step) bool { return s.Name != "left alone" }), 2)
}

func TestAdviceWithoutACredential(t *testing.T) {
	h := start(t, apptest.Settings(t.TempDir(), nil))
	_, err := h.cmd("status", "--project", "7")
	require.ErrorContains(t, err, "unknown project 7, and hone cannot look for it: ")
	assert.NotRegexp(t, connectAdvice, err.Error())
}
