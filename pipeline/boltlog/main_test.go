package boltlog_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

// childEnv names the role this test binary plays when a test starts it again,
// and runChild plays it where the system has what such tests need.
const childEnv = "HONE_BOLTLOG_CHILD"

var runChild func(role, file string)

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" && runChild != nil {
		runChild(role, os.Getenv("HONE_BOLTLOG_FILE"))
		return
	}
	goleak.VerifyTestMain(m)
}

func openDB(tb testing.TB, path string, o *bbolt.Options) *bbolt.DB {
	tb.Helper()
	if o == nil {
		o = &bbolt.Options{}
	}
	o.Timeout = 10 * time.Second
	db, err := bbolt.Open(path, 0o600, o)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

// fast are options whose pauses don't matter to a test's run time.
var fast = boltlog.Options{MinBackoff: time.Millisecond, MaxBackoff: 4 * time.Millisecond}

func newLog(tb testing.TB, o boltlog.Options) *boltlog.Log {
	tb.Helper()
	return newLogAt(tb, o, nil)
}

func newLogAt(tb testing.TB, o boltlog.Options, dbo *bbolt.Options) *boltlog.Log {
	tb.Helper()
	db := openDB(tb, filepath.Join(tb.TempDir(), "log.db"), dbo)
	l, err := boltlog.New(db, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return l
}
