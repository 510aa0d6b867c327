package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"
)

const deadTopic = string(event.DeadLetters)

// DeadLetter is an event that could not be handled, with the reason.
type DeadLetter struct {
	// Offset names the dead letter, for Replay and Drop.
	Offset uint64 `json:"offset"`
	// Topic and Entry say where the event was, Group who could not handle it.
	Topic event.Topic `json:"topic"`
	Entry uint64      `json:"entry"`
	Group string      `json:"group"`
	// Kind and Project are the event's; "unreadable" and 0 if it has none.
	Kind    string          `json:"kind"`
	Project event.ProjectID `json:"project,omitempty"`
	Reason  string          `json:"reason"`
	At      time.Time       `json:"at"`
	// Payload is the event's entry as it was.
	Payload []byte `json:"payload"`
}

// storedLetter is a dead letter as it is stored. Fields that follow from the payload are
// left out.
type storedLetter struct {
	Version int         `json:"v"`
	Topic   event.Topic `json:"topic"`
	Entry   uint64      `json:"entry"`
	Group   string      `json:"group"`
	Reason  string      `json:"reason"`
	At      time.Time   `json:"at"`
	Payload []byte      `json:"payload"`
}

const letterVersion = 1

func encodeLetter(d DeadLetter) ([]byte, error) {
	b, err := json.Marshal(storedLetter{
		Version: letterVersion, Topic: d.Topic, Entry: d.Entry, Group: d.Group, Reason: d.Reason, At: d.At, Payload: d.Payload,
	})
	if err != nil {
		return nil, fmt.Errorf("encode a dead letter: %w", err)
	}
	return b, nil
}

// deadLetter moves the entry at a cursor to the dead letters, in one transaction with the
// cursor, so that it is always in exactly one of the two places.
func (p *Pipeline) deadLetter(logger *logrus.Entry, cur event.Cursor, payload []byte, reason error) error {
	letter, err := encodeLetter(DeadLetter{
		Topic: cur.Topic, Group: cur.Group, Entry: cur.Offset, Reason: reason.Error(), At: time.Now(), Payload: payload,
	})
	if err != nil {
		return errors.Join(err, reason)
	}
	err = p.log.Update(func(tx *bbolt.Tx) error {
		if err := p.log.AppendTx(tx, deadTopic, letter); err != nil {
			return err
		}
		return p.log.AdvanceTx(tx, cur)
	})
	if err != nil {
		return err
	}
	withError(logger.WithField("offset", cur.Offset), reason).Error("an event cannot be handled and went to the dead letters")
	return nil
}

// decodeLetter never fails, so that a letter hone cannot read is listed and can
// be dropped; without a topic it cannot be replayed.
func decodeLetter(e boltlog.Entry) DeadLetter {
	var s storedLetter
	err := json.Unmarshal(e.Payload, &s)
	if err == nil && (s.Version != letterVersion || s.Topic == "") {
		err = fmt.Errorf("version %d, topic %q", s.Version, s.Topic)
	}
	d := DeadLetter{Offset: e.Offset, Kind: unreadableKind}
	if err != nil {
		d.Reason, d.At, d.Payload = fmt.Sprintf("unreadable dead letter: %v", err), e.Time, e.Payload
		return d
	}
	d.Topic, d.Entry, d.Group, d.Reason, d.At, d.Payload = s.Topic, s.Entry, s.Group, s.Reason, s.At, s.Payload
	if ev, err := event.Decode(s.Payload); err == nil {
		d.Kind, d.Project = event.Kind(ev), ev.ProjectOf()
	}
	return d
}

// DeadLetters returns the oldest dead letters, at most most of them.
func (p *Pipeline) DeadLetters(ctx context.Context, most int) ([]DeadLetter, error) {
	letters := []DeadLetter{}
	after := uint64(0)
	// Read returns less than asked for when entries are large.
	for len(letters) < most {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		entries, err := p.log.Read(deadTopic, after, most-len(letters))
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			letters = append(letters, decodeLetter(e))
			after = e.Offset
		}
	}
	return letters, nil
}

// CountDeadLetters returns how many there are.
func (p *Pipeline) CountDeadLetters(context.Context) (int, error) {
	n, err := p.log.Count(deadTopic)
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return n, nil
}

// Replay publishes dead letters to their topics again, at the end, and removes
// them; each moves in one transaction. It returns how many it moved, also
// together with an error. An offset that is not there is left out.
func (p *Pipeline) Replay(ctx context.Context, offsets ...uint64) (int, error) {
	return p.forEachLetter(ctx, "replay", offsets, func(tx *bbolt.Tx, d DeadLetter) error {
		return p.log.AppendTx(tx, string(d.Topic), d.Payload)
	})
}

// Drop removes dead letters for good and returns how many there were.
func (p *Pipeline) Drop(ctx context.Context, offsets ...uint64) (int, error) {
	return p.forEachLetter(ctx, "drop", offsets, nil)
}

func (p *Pipeline) forEachLetter(ctx context.Context, what string, offsets []uint64, also func(*bbolt.Tx, DeadLetter) error) (done int, err error) {
	for _, offset := range offsets {
		if err := ctx.Err(); err != nil {
			return done, fmt.Errorf("%s dead letters: %w", what, err)
		}
		e, ok, err := p.log.Get(deadTopic, offset)
		if err != nil {
			return done, fmt.Errorf("%s dead letter %d: %w", what, offset, err)
		}
		if !ok {
			continue
		}
		d := decodeLetter(e)
		if also != nil && d.Topic == "" {
			return done, fmt.Errorf("%s dead letter %d: %s; it can only be dropped", what, offset, d.Reason)
		}
		removed := false
		err = p.log.Update(func(tx *bbolt.Tx) (err error) {
			// Somebody else may have taken it meanwhile.
			if removed, err = p.log.RemoveTx(tx, deadTopic, offset); err != nil || !removed || also == nil {
				return err
			}
			return also(tx, d)
		})
		if err != nil {
			return done, fmt.Errorf("%s dead letter %d: %w", what, offset, err)
		}
		if removed {
			done++
		}
	}
	return done, nil
}
