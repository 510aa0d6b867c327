//go:build unix

package boltlog_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
)

func init() { runChild = childMain }

// child prepares this test binary to run again in a role of its own.
func child(t *testing.T, role, file string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+role, "HONE_BOLTLOG_FILE="+file)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	return cmd
}

func childMain(role, file string) {
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		fail(err)
	}
	switch role {
	case "publish":
		publishForEver(db)
	case "disk":
		fillDisk(db)
	default:
		fail(fmt.Errorf("no role %q", role))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(1)
}

func childLog(db *bbolt.DB, o boltlog.Options) *boltlog.Log {
	l, err := boltlog.New(db, o)
	if err != nil {
		fail(err)
	}
	return l
}
