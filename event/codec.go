package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// codecVersion is written into every entry. Decode refuses a higher one: an older hone must not
// guess what a newer one wrote.
const codecVersion = 1

// ErrUnreadable marks what no retry can help to read.
var ErrUnreadable = errors.New("unreadable event")

type envelope struct {
	Version int             `json:"v"`
	Kind    string          `json:"kind"`
	Data    json.RawMessage `json:"data"`
}

// Encode returns an event as an entry of the log.
func Encode(e Event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode %s event: %w", e.kind(), err)
	}
	// The same bytes as json.Marshal of an envelope, without going over data once
	// more. A kind needs no escaping.
	b := make([]byte, 0, len(data)+64)
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, codecVersion, 10)
	b = append(b, `,"kind":"`...)
	b = append(b, e.kind()...)
	b = append(b, `","data":`...)
	b = append(b, data...)
	return append(b, '}'), nil
}

// Decode reads what Encode wrote. Every error wraps ErrUnreadable.
func Decode(b []byte) (Event, error) {
	var env envelope
	if err := json.Unmarshal(b, &env); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if env.Version > codecVersion || env.Version < 1 {
		return nil, fmt.Errorf("%w: codec version %d, this hone reads up to %d", ErrUnreadable, env.Version, codecVersion)
	}
	var e Event
	switch env.Kind {
	case (*Changed)(nil).kind():
		e = new(Changed)
	case (*ReconcileDue)(nil).kind():
		e = new(ReconcileDue)
	case (*RetrainDue)(nil).kind():
		e = new(RetrainDue)
	case (*RollbackDue)(nil).kind():
		e = new(RollbackDue)
	case (*Configured)(nil).kind():
		e = new(Configured)
	case (*Forgotten)(nil).kind():
		e = new(Forgotten)
	case (*Learned)(nil).kind():
		e = new(Learned)
	default:
		return nil, fmt.Errorf("%w: unknown kind %q", ErrUnreadable, env.Kind)
	}
	if err := json.Unmarshal(env.Data, e); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnreadable, env.Kind, err)
	}
	return e, nil
}
