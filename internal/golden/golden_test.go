package golden

import (
	"encoding/json"
	"testing"
	"time"
)

type inner struct{ A, B string }

func TestFillSetsEveryFieldByItsPlace(t *testing.T) {
	got, err := json.Marshal(Fill(&struct {
		One, Two *inner
		List     []float64
		Map      map[string]bool
		Raw      json.RawMessage
		At       time.Time
		ID       [2]uint16
		_        bool
	}{}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"One":{"A":"text 111","B":"text 112"},"Two":{"A":"text 121","B":"text 122"},"List":[13.5],"Map":{"text 14":true},"Raw":{"raw":15},"At":"2026-11-29T12:00:16Z","ID":[17,17]}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}
