//go:build e2e

package e2e

import (
	"os/exec"
	"syscall"
)

// namespaces makes a network namespace for a moment, and says why that cannot be done.
func namespaces() error {
	cmd := exec.Command("true") //nolint:noctx // short
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return cmd.Run()
}
