package trainprocess

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// bindToParent has the end of this process kill a child that is started next, also while it is stopped
// and does not see that its input ends. The child would be killed at the end of the thread that starts
// it too, so the calling goroutine keeps its thread until it calls release, when the child has ended.
func bindToParent(child *exec.Cmd) (release func()) {
	runtime.LockOSThread()
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return runtime.UnlockOSThread
}

// pause stops a child where it is. Without an effect the child is slow to make room, and no more.
func pause(child *os.Process) { _ = child.Signal(syscall.SIGSTOP) }

// unpause has a child go on that was stopped.
func unpause(child *os.Process) { _ = child.Signal(syscall.SIGCONT) }
