package boltlog_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
)

func ExampleLog() {
	dir, err := os.MkdirTemp("", "boltlog")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := bbolt.Open(filepath.Join(dir, "log.db"), 0o600, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	l, err := boltlog.New(db, boltlog.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	if _, err := l.Append("changes", []byte("first"), []byte("second")); err != nil {
		log.Fatal(err)
	}
	messages, err := l.Subscriber("learner").Subscribe(context.Background(), "changes")
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		m := <-messages
		fmt.Println(boltlog.Offset(m), string(m.Payload))
		m.Ack()
	}
	// Output:
	// 1 first
	// 2 second
}
