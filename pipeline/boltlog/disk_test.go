//go:build linux || darwin

package boltlog_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
)

// TestDiskRefusesWrites runs in a child process, since the limit that makes the
// disk refuse holds for a whole process.
func TestDiskRefusesWrites(t *testing.T) {
	cmd := child(t, "disk", filepath.Join(t.TempDir(), "log.db"))
	if out, err := cmd.Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// errorSignal passes on that something was logged as an error.
type errorSignal struct {
	watermill.NopLogger
	errs chan error
}

func (s errorSignal) Error(_ string, err error, _ watermill.LogFields) {
	select {
	case s.errs <- err:
	default:
	}
}

func fillDisk(db *bbolt.DB) {
	logged := make(chan error, 1)
	o := fast
	o.Logger = errorSignal{errs: logged}
	l := childLog(db, o)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	messages, err := l.Subscriber("g").Subscribe(ctx, "t")
	check(err)
	_, err = l.Append("t", []byte("a"), []byte("b"))
	check(err)
	first := expect(ctx, messages, "a")

	setFileLimit(0)
	if _, err := l.Append("t", []byte("lost")); !errors.Is(err, boltlog.ErrStorage) || !errors.Is(err, syscall.EFBIG) {
		fail(fmt.Errorf("append on a full disk: %w", err))
	}
	if err := l.Publisher().Publish("t", message.NewMessage("", []byte("lost"))); !errors.Is(err, boltlog.ErrStorage) {
		fail(fmt.Errorf("publish on a full disk: %w", err))
	}
	first.Ack()
	select {
	case err := <-logged:
		if !errors.Is(err, boltlog.ErrStorage) {
			fail(fmt.Errorf("the subscriber reported: %w", err))
		}
	case m := <-messages:
		fail(fmt.Errorf("%q was delivered though the cursor could not be written", m.Payload))
	case <-ctx.Done():
		fail(errors.New("the subscriber reported nothing"))
	}

	setFileLimit(^uint64(0))
	expect(ctx, messages, "b").Ack() // not "a" again: its handler is done
	_, err = l.Append("t", []byte("c"))
	check(err)
	expect(ctx, messages, "c").Ack()
	check(l.Close())
	check(db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	}))
	check(db.Close())
}

// setFileLimit forbids writing to files beyond a size, which fails with EFBIG
// the way a full disk does with ENOSPC.
func setFileLimit(size uint64) {
	var r syscall.Rlimit
	check(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r))
	r.Cur = min(size, r.Max)
	check(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r))
}

func expect(ctx context.Context, messages <-chan *message.Message, payload string) *message.Message {
	select {
	case m := <-messages:
		if string(m.Payload) != payload {
			fail(fmt.Errorf("got %q, want %q", m.Payload, payload))
		}
		return m
	case <-ctx.Done():
		fail(fmt.Errorf("%q was not delivered", payload))
	}
	return nil
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}
