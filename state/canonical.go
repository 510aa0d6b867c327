package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/event"
)

// Label Studio spells the same value differently in a webhook and in its API
// (escapes, spacing, order of keys), so content is compared in one canonical
// spelling. Only the hash of it is kept; what is stored is what was heard.

func taskVersion(t event.Task) version {
	return version{at: t.UpdatedAt, hash: xxhash.Sum64(canonicalJSON(t.Data))}
}

func annotationVersion(a event.Annotation) version {
	b := appendID(nil, a.Task)
	b = append(b, annotationFlags(a))
	b = binary.BigEndian.AppendUint64(b, uint64(a.CompletedBy))
	result := canonicalJSON(a.Result)
	if string(result) != "null" && string(result) != "[]" { // both are "nothing marked"
		b = append(b, result...)
	}
	return version{at: a.UpdatedAt, hash: xxhash.Sum64(b)}
}

// canonicalJSON returns the one spelling of a JSON value: no spaces, sorted keys,
// the shortest spelling of each number. Nothing at all is null; bytes that are
// not JSON stand for themselves.
func canonicalJSON(raw json.RawMessage) []byte {
	if len(bytes.TrimSpace(raw)) == 0 {
		return []byte("null")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return raw
	}
	out, err := json.Marshal(canonicalNumbers(v))
	if err != nil {
		return raw
	}
	return out
}

func canonicalNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = canonicalNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = canonicalNumbers(e)
		}
	case json.Number:
		return canonicalNumber(v)
	}
	return v
}

// canonicalNumber makes 50, 50.0 and 5e1 one number. Integers too long for a
// float keep all their digits: they may be ids.
func canonicalNumber(n json.Number) json.Number {
	if _, err := strconv.ParseInt(string(n), 10, 64); err == nil && n != "-0" {
		return n
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return n
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return json.Number(strconv.FormatInt(int64(f), 10))
	}
	if !bytes.ContainsAny([]byte(n), ".eE") {
		return n
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}
