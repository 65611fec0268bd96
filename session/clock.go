package session

import "time"

var clockStart = time.Now()

// clock returns a monotonic time that is cheap to read. It is never 0, which
// stands for "not measured".
func clock() time.Duration { return time.Since(clockStart) + 1 }
