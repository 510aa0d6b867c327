package boltlog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Entry{
			Time:     time.Unix(0, rapid.Int64().Draw(t, "time")),
			UUID:     rapid.String().Draw(t, "uuid"),
			Metadata: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata"),
			Payload:  rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
		}
		out, err := decodeEntry(encodeEntry(in))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(in, out, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzEntry: damaged bytes give an error or an entry that survives being written
// and read again, and never a panic or a huge allocation.
func FuzzEntry(f *testing.F) {
	f.Add([]byte{})
	f.Add(encodeEntry(Entry{Time: time.Unix(1, 2), UUID: "u", Metadata: map[string]string{"a": "b"}, Payload: []byte("p")}))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err != nil {
			if got := readEntry(offsetKey(7), b); got.Offset != 7 || string(got.Payload) != string(b) || got.Metadata[UnreadableKey] == "" {
				t.Fatalf("a damaged entry must come as it is: %+v", got)
			}
			return
		}
		again, err := decodeEntry(encodeEntry(e))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e, again, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}
