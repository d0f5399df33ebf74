package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A row compares contenders that do the same work; ours is the first.
type row struct {
	what       string
	contenders []contender
	metrics    []metric
}

type contender struct {
	name    string
	measure func() (values, error)
}

// A metric is one line of a table.
type metric struct {
	name    string // as contenders print it
	unit    string
	targets []target
}

// A target is met when our value, or its ratio to the peer's, is in its limits.
type target struct {
	of      string // whose value; "" for the first contender's
	peer    string // "" for a limit of the value itself
	atMost  float64
	atLeast float64
}

// values are what one run of a contender printed, by metric.
type values map[string]float64

// What is measured is on one core, what it talks to on the other.
const (
	ourCore   = "1"
	otherCore = "0"
)

// measure runs the contenders of each row in rounds (A, B, C, B, C, A, C, A, B, ...), so
// that a slow spell of the machine falls on all of them, and none always comes first.
func (p part) measure() partResult {
	result := partResult{Date: time.Now().UTC().Format("2006-01-02 15:04 MST"), Machine: machine(), Versions: versions(p), Runs: p.runs}
	if quick {
		result.Runs = 1
	}
	for _, r := range p.rows() {
		out := rowResult{What: r.what, Values: map[string]map[string][]float64{}}
		for i := range result.Runs {
			for j := range r.contenders {
				c := r.contenders[(i+j)%len(r.contenders)]
				if i > 0 && slices.Contains(p.once, c.name) {
					continue
				}
				got, err := c.measure()
				if err != nil {
					fmt.Fprintf(os.Stderr, "bench: %s: %s: %s: left out: %v\n", p.name, r.what, c.name, err)
					continue
				}
				fmt.Fprintf(os.Stderr, "%s: %s: %s %d/%d: %v\n", p.name, r.what, c.name, i+1, result.Runs, got)
				out.add(c.name, got)
			}
		}
		result.Rows = append(result.Rows, out)
	}
	return result
}

// program returns a contender's measure function: it runs the program on the core
// and reads the "name value" lines that it prints.
func program(core string, env []string, args ...string) func() (values, error) {
	return func() (values, error) {
		cmd := pinned(core, args...)
		cmd.Env = append(cmd.Environ(), env...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := output(cmd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, lastLine(stderr.String()))
		}
		return parse(stdout)
	}
}

// inMicroseconds is for measurements that print "ns" and take long.
func inMicroseconds(measure func() (values, error)) func() (values, error) {
	return func() (values, error) {
		v, err := measure()
		if err == nil {
			v["us"] = v["ns"] / 1000
		}
		return v, err
	}
}

// oneCore is the environment of a Go program that is measured on one core. The
// affinity would tell the runtime as much; this says it to the reader.
var oneCore = []string{"GOMAXPROCS=1"}

func pinned(core string, args ...string) *exec.Cmd {
	return exec.Command("taskset", append([]string{"-c", core}, args...)...)
}

// output runs the command and kills it after two minutes.
func output(cmd *exec.Cmd) (string, error) {
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the children of time(1) can be killed, too
	if err := cmd.Start(); err != nil {
		return "", err
	}
	watchdog := time.AfterFunc(2*time.Minute, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	if !watchdog.Stop() {
		err = errors.New("killed: still running after 2 minutes")
	}
	return stdout.String(), err
}

func parse(text string) (values, error) {
	v := values{}
	for line := range strings.Lines(text) {
		name, number, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			return nil, fmt.Errorf("not a line of the form \"name value\": %q", line)
		}
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, err
		}
		v[name] = f
	}
	if len(v) == 0 {
		return nil, errors.New("printed nothing")
	}
	return v, nil
}

func median(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// brief chooses how much work a contender gets: the second value in a quick run.
func brief[T any](normal, quickly T) T {
	if quick {
		return quickly
	}
	return normal
}
