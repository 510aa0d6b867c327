package reconcile

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"

	"github.com/hone-ml/hone/event"
)

// sameAnnotation reports whether Label Studio's annotation a and hone's annotation b are
// equal. Their author is not compared: webhooks and the API report it differently, and
// nothing is learned from it. Nor is it a difference that Label Studio has forgotten the
// prediction that an annotation was made from, as it does when that is deleted.
func sameAnnotation(a, b event.Annotation) bool {
	a.Suggested = a.Suggested || b.Suggested
	return a.Task == b.Task && a.UpdatedAt.Equal(b.UpdatedAt) && a.Cancelled == b.Cancelled &&
		a.GroundTruth == b.GroundTruth && a.Unattended() == b.Unattended() && sameJSON(a.Result, b.Result)
}

// sameJSON compares values, not spelling: webhooks and the API order keys and
// escape text differently. No value is the same as null and as an empty list.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	va, oka := decodeJSON(a)
	vb, okb := decodeJSON(b)
	return oka && okb && reflect.DeepEqual(va, vb)
}

func decodeJSON(raw json.RawMessage) (v any, ok bool) {
	if len(raw) == 0 {
		return nil, true
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil || d.Decode(new(any)) != io.EOF {
		return nil, false
	}
	if list, is := v.([]any); is && len(list) == 0 {
		return nil, true
	}
	return v, true
}
