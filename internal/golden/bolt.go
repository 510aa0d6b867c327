package golden

import (
	"fmt"
	"strings"

	"go.etcd.io/bbolt"
)

// Bolt spells out a bbolt file: a line for each key, in key order, with its buckets
// before it. Values longer than a few lines are cut, with their length.
func Bolt(db *bbolt.DB) (string, error) {
	var out strings.Builder
	var walk func(b *bbolt.Bucket, path string) error
	walk = func(b *bbolt.Bucket, path string) error {
		return b.ForEach(func(k, v []byte) error {
			at := path + "/" + readable(k)
			if v == nil {
				fmt.Fprintf(&out, "%s/\n", at)
				return walk(b.Bucket(k), at)
			}
			const most = 600
			more := ""
			if len(v) > most {
				v, more = v[:most], fmt.Sprintf(" … of %d bytes", len(v))
			}
			fmt.Fprintf(&out, "%s = %q%s\n", at, v, more)
			return nil
		})
	}
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			fmt.Fprintf(&out, "/%s/\n", readable(name))
			return walk(b, "/"+readable(name))
		})
	})
	return out.String(), err
}

// readable is a key as text, or in hexadecimal when it is none.
func readable(k []byte) string {
	for _, c := range k {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("%x", k)
		}
	}
	return string(k)
}
