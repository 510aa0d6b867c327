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

// The first byte of every record is its version. Version 1 of what statements are
// about lacks the position at which it was heard: it was heard before anything.
const (
	recordVersion = 1
	heardVersion  = 2
)

var errDamagedRecord = errors.New("damaged record (restore a backup, or move the file away: hone then learns again from what Label Studio holds)")

// version orders the statements about one thing: the later time wins, then the greater
// hash.
type version struct {
	at   time.Time
	hash uint64
}

func (s version) compare(o version) int {
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

func appendVersion(b []byte, s version) []byte {
	return binary.BigEndian.AppendUint64(appendTime(b, s.at), s.hash)
}

func versionOf(b []byte) version {
	return version{at: timeOf(b), hash: binary.BigEndian.Uint64(b[timeLen:])}
}

const versionLen = timeLen + 8

// task record: version, stamp, position, data.
const (
	taskHead1 = 1 + versionLen
	taskHead2 = taskHead1 + 8
)

func encodeTask(t event.Task, s version, at uint64) []byte {
	b := make([]byte, 0, taskHead2+len(t.Data))
	b = binary.BigEndian.AppendUint64(appendVersion(append(b, heardVersion), s), at)
	return append(b, t.Data...)
}

// decodeTask returns a task whose Data is part of b.
func decodeTask(id event.TaskID, b []byte) (t event.Task, s version, at uint64, err error) {
	var data []byte
	switch {
	case len(b) >= taskHead2 && b[0] == heardVersion:
		at, data = binary.BigEndian.Uint64(b[taskHead1:]), b[taskHead2:]
	case len(b) >= taskHead1 && b[0] == recordVersion:
		data = b[taskHead1:]
	default:
		return event.Task{}, version{}, 0, fmt.Errorf("task %d: %w", id, errDamagedRecord)
	}
	s = versionOf(b[1:])
	return event.Task{ID: id, Data: data, UpdatedAt: s.at}, s, at, nil
}

// The tombstone of a task: version, position.
func encodeTombstone(at uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{heardVersion}, at)
}

func decodeTombstone(id event.TaskID, b []byte) (at uint64, err error) {
	switch {
	case len(b) == 9 && b[0] == heardVersion:
		return binary.BigEndian.Uint64(b[1:]), nil
	case len(b) == 1 && b[0] == recordVersion:
		return 0, nil
	}
	return 0, fmt.Errorf("deleted task %d: %w", id, errDamagedRecord)
}

const (
	flagCancelled = 1 << iota
	flagGroundTruth
	flagFromModel
	// Those below are no part of an annotation's version. Records of older hones lack them.
	flagSuggested
	flagUntimed
)

// annotation record: version, flags, stamp, completed by, result.
const annotationHead = 2 + versionLen + 8

func encodeAnnotation(a event.Annotation, s version) []byte {
	b := make([]byte, 0, annotationHead+len(a.Result))
	flags := annotationFlags(a)
	if a.Suggested {
		flags |= flagSuggested
	}
	if a.Untimed {
		flags |= flagUntimed
	}
	b = appendVersion(append(b, recordVersion, flags), s)
	b = binary.BigEndian.AppendUint64(b, uint64(a.CompletedBy))
	return append(b, a.Result...)
}

// annotationFlags are those that are content: another value is another statement.
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

// originOf reads where an annotation came from out of a "results" entry, all false when
// there is none.
func originOf(b []byte) (fromModel, suggested, untimed bool) {
	if len(b) < 2 {
		return false, false, false
	}
	fromModel = b[1]&flagFromModel != 0
	return fromModel, fromModel || b[1]&flagSuggested != 0, b[1]&flagUntimed != 0
}

// decodeAnnotation reads a "results" entry. The Result is a copy.
func decodeAnnotation(key, b []byte) (event.Annotation, error) {
	if len(key) != 16 || len(b) < annotationHead || b[0] != recordVersion {
		return event.Annotation{}, fmt.Errorf("annotation %x: %w", key, errDamagedRecord)
	}
	a := event.Annotation{
		ID:          idOf[event.AnnotationID](key[8:]),
		Task:        idOf[event.TaskID](key),
		Cancelled:   b[1]&flagCancelled != 0,
		GroundTruth: b[1]&flagGroundTruth != 0,
		UpdatedAt:   timeOf(b[2:]),
		CompletedBy: event.UserID(binary.BigEndian.Uint64(b[2+versionLen:])),
	}
	a.FromModel, a.Suggested, a.Untimed = originOf(b)
	if len(b) > annotationHead {
		a.Result = bytes.Clone(b[annotationHead:])
	}
	return a, nil
}

// An annotationRef is the record of an annotation without its content: the task and the
// version of its last statement, or that it is deleted; and the position of that statement.
type annotationRef struct {
	deleted bool
	task    event.TaskID
	stamp   version
	at      uint64
}

const (
	refStated  = 1
	refDeleted = 2

	statedLen = 2 + 8 + versionLen
)

func encodeRef(r annotationRef) []byte {
	b := make([]byte, 0, statedLen+8)
	if r.deleted {
		b = append(b, heardVersion, refDeleted)
	} else {
		b = appendVersion(appendID(append(b, heardVersion, refStated), r.task), r.stamp)
	}
	return binary.BigEndian.AppendUint64(b, r.at)
}

func decodeRef(id event.AnnotationID, b []byte) (annotationRef, error) {
	r, ok := readRef(b)
	if !ok {
		return annotationRef{}, fmt.Errorf("annotation %d: %w", id, errDamagedRecord)
	}
	return r, nil
}

func readRef(b []byte) (r annotationRef, ok bool) {
	if len(b) < 2 {
		return r, false
	}
	rest := b
	switch {
	case b[0] == heardVersion && len(b) >= 2+8:
		rest, r.at = b[:len(b)-8], binary.BigEndian.Uint64(b[len(b)-8:])
	case b[0] != recordVersion:
		return r, false
	}
	switch {
	case len(rest) == 2 && b[1] == refDeleted:
		r.deleted = true
	case len(rest) == statedLen && b[1] == refStated:
		r.task, r.stamp = idOf[event.TaskID](b[2:]), versionOf(b[10:])
	default:
		return r, false
	}
	return r, true
}

// The learner's state of a project is its own business, behind the version byte.
func encodeLearnerState(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{recordVersion}, b...)
}

// decodeLearnerState returns a copy; nil for no record.
func decodeLearnerState(b []byte) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	if len(b) < 1 || b[0] != recordVersion {
		return nil, fmt.Errorf("learner state: %w", errDamagedRecord)
	}
	return bytes.Clone(b[1:]), nil
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
		return fmt.Errorf("%s: %w", what, errDamagedRecord)
	}
	if err := json.Unmarshal(b[1:], v); err != nil {
		return fmt.Errorf("%s: %w: %w", what, errDamagedRecord, err)
	}
	return nil
}
