package rig

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// profiles holds the files to write profiles to; an empty name means no
// profile. They are for investigations by hand; the runner uses none.
type profiles struct {
	cpu, mem string
	file     *os.File // of the CPU profile
}

func (p *profiles) start() (err error) {
	if p.mem != "" {
		runtime.MemProfileRate = 1 // every one: slow, but small ones count like large ones
	}
	if p.cpu == "" {
		return nil
	}
	p.file, err = os.Create(p.cpu)
	if err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	return pprof.StartCPUProfile(p.file)
}

func (p *profiles) stop() (err error) {
	if p.file != nil {
		pprof.StopCPUProfile()
		err = p.file.Close()
	}
	if p.mem == "" {
		return err
	}
	f, ferr := os.Create(p.mem)
	if ferr != nil {
		return errors.Join(err, ferr)
	}
	return errors.Join(err, pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
