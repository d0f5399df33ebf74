package measure

import (
	"log"
	"os"
	"runtime/pprof"
)

// Profile writes a CPU profile of all that runs until stop is called into the
// file that the environment variable CPUPROFILE names, if any.
func Profile() (stop func()) {
	name := os.Getenv("CPUPROFILE")
	if name == "" {
		return func() {}
	}
	file, err := os.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		log.Fatal(err)
	}
	return pprof.StopCPUProfile
}
