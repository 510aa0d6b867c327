package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/app/core"
)

// everyHead asks in every way that hone learns.
const everyHead = `<View><Text name="t" value="$text"/><Text name="u" value="$other"/>
	<Number name="n" toName="t"/><Rating name="stars" toName="t" maxRating="5"/>
	<Choices name="c" toName="t"><Choice value="yes"/><Choice value="no"/></Choices>
	<Choices name="m" toName="t" choice="multiple"><Choice value="urgent"/><Choice value="rude"/></Choices>
	<Taxonomy name="tax" toName="t"><Choice value="Animal"><Choice value="Cat"/></Choice><Choice value="Plant"/></Taxonomy>
	<Labels name="s" toName="t"><Label value="thing"/></Labels><Pairwise name="pw" toName="t,u"/></View>`

// Whatever a webhook says of one project, the head of the log moves, the other
// project's next label is learned, and what was refused is named.
func TestHostileWebhooksMoveTheLog(t *testing.T) {
	h := newHouse(t)
	const bad = event.ProjectID(2)
	h.publish(newConfig(bad, everyHead))
	long := strings.Repeat("long ", 2<<20) // 10 MB
	controls := map[string]string{"n": "number", "stars": "rating", "c": "choices", "m": "choices", "tax": "taxonomy", "s": "labels", "pw": "selected", "nobody": "choices"}
	names := []string{"n", "stars", "c", "m", "tax", "s", "pw", "nobody"}
	values := []string{
		`1e308`, `-1e308`, `1e-320`, `3`, `-1`, `"NaN"`, `"1e999"`, `99999999999999999999`, `null`, `""`, `true`, `[]`, `{}`, `[[]]`, `[null]`, `["yes","yes"]`, `["unknown"]`,
		`["\u0000"]`, `[["Animal","Cat"],["Animal","Cat"]]`, `[["Animal","Cat","Deeper"]]`, `"left"`, `["thing"]`, `[` + strings.Repeat(`"yes",`, 5000) + `"no"]`, `["` + strings.Repeat("x", 1<<20) + `"]`,
	}
	texts := []string{"", "why is my card not here", "\x00\ufffd\U0001F600", "NaN", "<p>&amp;</p>", strings.Repeat("word ", 3000), long}
	id, others := 0, 0
	step := func(rt *rapid.T) {
		id++
		var rs []string
		refused := map[string]bool{}
		for range rapid.IntRange(0, 3).Draw(rt, "regions") {
			c := rapid.SampledFrom(names).Draw(rt, "control")
			v := rapid.SampledFrom(values).Draw(rt, "value")
			rs = append(rs, fmt.Sprintf(`{"id":"same","from_name":%q,"to_name":"t","type":"x","value":{%q:%s,"start":0,"end":%s}}`, c, controls[c], v,
				rapid.SampledFrom([]string{"2", "-1", "1e18", `"x"`}).Draw(rt, "end")))
			refused["n"] = c == "n" && strings.HasSuffix(v, "1e308") || refused["n"] && c != "n"
		}
		result := rapid.SampledFrom([]string{"[" + strings.Join(rs, ",") + "]", "null", "{}", `"text"`, "7", "[1]"}).Draw(rt, "result")
		if !strings.HasPrefix(result, `[{`) {
			refused = nil
		}
		data, err := json.Marshal(map[string]string{"text": rapid.SampledFrom(texts).Draw(rt, "text"), "other": "x"})
		require.NoError(t, err)
		status, answer := h.Post("/webhook", fmt.Sprintf(
			`{"action":"ANNOTATION_CREATED","project":{"id":%d},"task":{"id":%d,"data":%s,"updated_at":"2026-01-01T00:00:00.000000Z"},"annotation":{"id":%[2]d,"task":%[2]d,"result":%s,"updated_at":"2026-01-01T00:00:00.000000Z"}}`,
			bad, 1_000_000+id, data, result))
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge}, status, answer)
		if id%4 == 0 {
			h.label()
			others++
		}
		if status != http.StatusOK {
			return
		}
		apptest.Until(t, "the log's head moves", func() bool { return h.lane(bad) == 0 })
		if refused["n"] && !strings.Contains(string(data), `"text":""`) {
			got := h.Await(bad, "it is in status", func(p api.Project) bool { return p.RefusedCount > 0 })
			if got.RefusedCount <= 20 && !slices.ContainsFunc(got.Refused, func(r api.Refused) bool {
				return r.Task == event.TaskID(1_000_000+id) && r.Control == "n" && strings.Contains(r.Reason, "too large")
			}) {
				rt.Fatalf("the number of task %d is not named: %+v", 1_000_000+id, got.Refused)
			}
		}
	}
	rapid.Check(t, step)
	n, err := h.Pipeline.CountDeadLetters(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "dead letters")
	require.Positive(t, others)
	heard, err := h.EventLog.Last(string(event.Changes))
	require.NoError(t, err)
	apptest.Until(t, "the whole log is handled", func() bool {
		at, err := h.EventLog.Cursor(string(event.Changes), core.LearnerGroup)
		return err == nil && at >= heard
	})
}
