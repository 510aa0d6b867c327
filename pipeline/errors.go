package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"

	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/panics"
)

// Permanent reports whether another attempt cannot cure the error. That holds for bytes that
// are not an event, for panics, and for errors that MarkPermanent marked. Permanent and
// Passing decide, for the whole of hone, between retry and dead letter. An error that is
// neither permanent nor passing is retried a few times.
func Permanent(err error) bool {
	var marked permanentError
	var panicked *panics.Error
	return errors.Is(err, event.ErrUnreadable) || errors.As(err, &marked) || errors.As(err, &panicked)
}

// maxTries is how often an event is handled whose error is neither permanent nor passing.
const maxTries = 5

// Passing reports whether the cause of an error can go away by itself, so that
// an event is handled again for as long as it takes: the disk, the network, running
// out of time, being stopped. The list is closed: an error that nobody has thought
// of must not hold up every project for ever.
func Passing(err error) bool {
	var (
		path    *fs.PathError
		call    *os.SyscallError
		errno   syscall.Errno
		network net.Error
		passing interface{ Passing() bool }
	)
	switch {
	case err == nil:
		return false
	case errors.As(err, &passing):
		return passing.Passing()
	case errors.Is(err, ErrStorage), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, bbolterrors.ErrDatabaseNotOpen), errors.Is(err, bbolterrors.ErrTimeout), errors.Is(err, bbolterrors.ErrTxClosed),
		errors.As(err, &path), errors.As(err, &call), errors.As(err, &errno), errors.As(err, &network):
		return true
	}
	return false
}

// MarkPermanent wraps an error so that Permanent reports true; nil stays nil.
func MarkPermanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }
