package boltlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Entry is one entry of a topic.
type Entry struct {
	// Offset counts from 1 and is never used again.
	Offset uint64
	// Time is when the entry was appended.
	Time time.Time
	// UUID and Metadata are those of the published message; empty for Append.
	UUID     string
	Metadata map[string]string
	Payload  []byte
}

const (
	// OffsetKey is the metadata key that carries a delivered message's offset.
	OffsetKey = "hone_offset"
	// UnreadableKey is set on a delivered entry whose stored form is damaged; the
	// payload is then the stored bytes as they are.
	UnreadableKey = "hone_unreadable"
)

// Offset returns the offset of a message that was delivered by a subscriber of
// this package, and 0 for any other message.
func Offset(msg *message.Message) uint64 {
	n, err := strconv.ParseUint(msg.Metadata.Get(OffsetKey), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (e Entry) message(topic string) *message.Message {
	uuid := e.UUID
	if uuid == "" {
		uuid = topic + "/" + strconv.FormatUint(e.Offset, 10)
	}
	msg := message.NewMessage(uuid, e.Payload)
	for k, v := range e.Metadata {
		msg.Metadata[k] = v
	}
	msg.Metadata[OffsetKey] = strconv.FormatUint(e.Offset, 10)
	return msg
}

// The stored form: format (1 byte), unix nanoseconds (8, big endian), uuid, the
// number of metadata pairs, the pairs, and the payload to the end. Strings are
// preceded by their length; lengths and counts are uvarints.
const (
	entryFormat = 1
	headerSize  = 9
)

var errDamagedEntry = errors.New("damaged log entry")

func encodeEntry(e Entry) []byte {
	size := headerSize + 2*binary.MaxVarintLen64 + len(e.UUID) + len(e.Payload)
	for k, v := range e.Metadata {
		size += 2*binary.MaxVarintLen64 + len(k) + len(v)
	}
	b := make([]byte, 0, size)
	b = append(b, entryFormat)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time.UnixNano())) //nolint:gosec // two's complement both ways
	b = appendString(b, e.UUID)
	b = binary.AppendUvarint(b, uint64(len(e.Metadata)))
	for k, v := range e.Metadata {
		b = appendString(appendString(b, k), v)
	}
	return append(b, e.Payload...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeEntry reads the stored form. The result shares no memory with b, which
// is only valid during the transaction.
func decodeEntry(b []byte) (Entry, error) {
	var e Entry
	var err error
	if e.Time, err = entryTime(b); err != nil {
		return Entry{}, err
	}
	b = b[headerSize:]
	if e.UUID, b, err = cutString(b); err != nil {
		return Entry{}, fmt.Errorf("%w: uuid", err)
	}
	pairs, n := binary.Uvarint(b)
	// A pair takes at least two bytes: a larger count is damage, not a reason to
	// reserve memory for it.
	if n <= 0 || pairs > uint64(len(b))/2 {
		return Entry{}, fmt.Errorf("%w: number of metadata pairs", errDamagedEntry)
	}
	b = b[n:]
	if pairs > 0 {
		e.Metadata = make(map[string]string, pairs)
	}
	for range pairs {
		var k, v string
		if k, b, err = cutString(b); err != nil {
			return Entry{}, fmt.Errorf("%w: metadata key", err)
		}
		if v, b, err = cutString(b); err != nil {
			return Entry{}, fmt.Errorf("%w: metadata value", err)
		}
		e.Metadata[k] = v
	}
	e.Payload = append(make([]byte, 0, len(b)), b...)
	return e, nil
}

func entryTime(b []byte) (time.Time, error) {
	if len(b) < headerSize {
		return time.Time{}, fmt.Errorf("%w: %d bytes are too few", errDamagedEntry, len(b))
	}
	if b[0] != entryFormat {
		return time.Time{}, fmt.Errorf("%w: format %d, this hone reads %d", errDamagedEntry, b[0], entryFormat)
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b[1:headerSize]))), nil //nolint:gosec // two's complement both ways
}

func cutString(b []byte) (string, []byte, error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, errDamagedEntry
	}
	b = b[n:]
	return string(b[:size]), b[size:], nil
}

// readEntry never fails: a damaged entry must reach the handler, or it would
// block its topic for ever.
func readEntry(key, value []byte) Entry {
	e, err := decodeEntry(value)
	if err != nil {
		e = Entry{
			Metadata: map[string]string{UnreadableKey: err.Error()},
			Payload:  append([]byte(nil), value...),
		}
	}
	e.Offset = keyOffset(key)
	return e
}

func offsetKey(offset uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), offset)
}

func keyOffset(key []byte) uint64 { return binary.BigEndian.Uint64(key) }
