package boltlog_test

import (
	"io"
	"log"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"go.etcd.io/bbolt"
)

// TestPubSub is watermill's own suite. Its subtests run side by side on one
// file, as hone's topics do.
func TestPubSub(t *testing.T) {
	log.SetOutput(io.Discard) // the suite reports every single nack
	// Tens of thousands of single acknowledgements: without fsync this
	// takes seconds, and the suite does not test it.
	o := fast
	l := newLogAt(t, o, &bbolt.Options{NoSync: true})
	features := tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true}
	group := func(_ *testing.T, group string) (message.Publisher, message.Subscriber) {
		return l.Publisher(), l.Subscriber(group)
	}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) {
		return group(t, "suite")
	}, group)
}
