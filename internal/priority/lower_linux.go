package priority

import "syscall"

// lowest is the nice value of the lowest priority.
const lowest = 19

// lower lowers the priority of the calling thread: on Linux that is what the number 0 stands for.
func lower() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest) } // without it the work is done all the same
