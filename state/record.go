package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
)

// recordVersion is the first byte of every record.
const recordVersion = 1

var errRecord = errors.New("damaged record (restore a backup, or move the file away: hone then learns again from what Label Studio holds)")

// stamp orders the statements about one thing: the later time wins, then the
// greater hash.
type stamp struct {
	at   time.Time
	hash uint64
}

func (s stamp) compare(o stamp) int {
	if c := s.at.Compare(o.at); c != 0 {
		return c
	}
	switch {
	case s.hash < o.hash:
		return -1
	case s.hash > o.hash:
		return 1
	}
	return 0
}

type id interface {
	event.ProjectID | event.TaskID | event.AnnotationID
}

func idKey[T id](v T) []byte { return appendID(make([]byte, 0, 8), v) }

func appendID[T id](b []byte, v T) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(v)^(1<<63))
}

func idOf[T id](b []byte) T { return T(binary.BigEndian.Uint64(b) ^ (1 << 63)) }

func resultKey(t event.TaskID, a event.AnnotationID) []byte {
	return appendID(appendID(make([]byte, 0, 16), t), a)
}

// A time is 8 bytes of unix seconds and 4 of nanoseconds: unlike UnixNano it
// holds every year, and what comes over the wire may claim any.
const timeLen = 12

func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func timeOf(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}

func appendStamp(b []byte, s stamp) []byte {
	return binary.BigEndian.AppendUint64(appendTime(b, s.at), s.hash)
}

func stampOf(b []byte) stamp {
	return stamp{at: timeOf(b), hash: binary.BigEndian.Uint64(b[timeLen:])}
}

const stampLen = timeLen + 8

// task record: version, stamp, data.
func encodeTask(t event.Task, s stamp) []byte {
	b := make([]byte, 0, 1+stampLen+len(t.Data))
	return append(appendStamp(append(b, recordVersion), s), t.Data...)
}

// decodeTask returns a task whose Data is part of b.
func decodeTask(id event.TaskID, b []byte) (event.Task, stamp, error) {
	if len(b) < 1+stampLen || b[0] != recordVersion {
		return event.Task{}, stamp{}, fmt.Errorf("task %d: %w", id, errRecord)
	}
	s := stampOf(b[1:])
	return event.Task{ID: id, Data: b[1+stampLen:], UpdatedAt: s.at}, s, nil
}

const (
	flagCancelled = 1 << iota
	flagGroundTruth
	flagFromModel
)

// annotation record: version, flags, stamp, completed by, result.
const annotationHead = 2 + stampLen + 8

func encodeAnnotation(a event.Annotation, s stamp) []byte {
	b := make([]byte, 0, annotationHead+len(a.Result))
	b = appendStamp(append(b, recordVersion, annotationFlags(a)), s)
	b = binary.BigEndian.AppendUint64(b, uint64(a.CompletedBy))
	return append(b, a.Result...)
}

func annotationFlags(a event.Annotation) (flags byte) {
	if a.Cancelled {
		flags |= flagCancelled
	}
	if a.GroundTruth {
		flags |= flagGroundTruth
	}
	if a.FromModel {
		flags |= flagFromModel
	}
	return flags
}

// decodeAnnotation reads a "results" entry. The Result is a copy.
func decodeAnnotation(key, b []byte) (event.Annotation, error) {
	if len(key) != 16 || len(b) < annotationHead || b[0] != recordVersion {
		return event.Annotation{}, fmt.Errorf("annotation %x: %w", key, errRecord)
	}
	a := event.Annotation{
		ID:          idOf[event.AnnotationID](key[8:]),
		Task:        idOf[event.TaskID](key),
		Cancelled:   b[1]&flagCancelled != 0,
		GroundTruth: b[1]&flagGroundTruth != 0,
		FromModel:   b[1]&flagFromModel != 0,
		UpdatedAt:   timeOf(b[2:]),
		CompletedBy: event.UserID(binary.BigEndian.Uint64(b[2+stampLen:])),
	}
	if len(b) > annotationHead {
		a.Result = bytes.Clone(b[annotationHead:])
	}
	return a, nil
}

// An annotation's register says where it was last stated, and when; or that it
// is deleted.
type register struct {
	deleted bool
	task    event.TaskID
	stamp   stamp
}

const (
	registerStated  = 1
	registerDeleted = 2
)

func encodeRegister(r register) []byte {
	if r.deleted {
		return []byte{recordVersion, registerDeleted}
	}
	b := appendID(append(make([]byte, 0, 2+8+stampLen), recordVersion, registerStated), r.task)
	return appendStamp(b, r.stamp)
}

func decodeRegister(id event.AnnotationID, b []byte) (register, error) {
	switch {
	case len(b) == 2 && b[0] == recordVersion && b[1] == registerDeleted:
		return register{deleted: true}, nil
	case len(b) == 2+8+stampLen && b[0] == recordVersion && b[1] == registerStated:
		return register{task: idOf[event.TaskID](b[2:]), stamp: stampOf(b[10:])}, nil
	}
	return register{}, fmt.Errorf("annotation %d: %w", id, errRecord)
}

// Rare records are JSON behind the version byte.
func encodeJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte{recordVersion}, b...), nil
}

func decodeJSON(what string, b []byte, v any) error {
	if len(b) < 1 || b[0] != recordVersion {
		return fmt.Errorf("%s: %w", what, errRecord)
	}
	if err := json.Unmarshal(b[1:], v); err != nil {
		return fmt.Errorf("%s: %w: %w", what, errRecord, err)
	}
	return nil
}
