package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// build is where the contenders' programs go.
const build = "build/"

const (
	debianPython = "/usr/bin/python3" // the one that sees Debian's python3-* packages
	debianCargo  = "/usr/bin/cargo"
	debianRustc  = "/usr/bin/rustc"
	debianNode   = "/usr/bin/node"
	debianDoc    = "/usr/share/doc/python3/html"
)

// needed are the files that a full run needs, with the Debian package of each.
var needed = []struct{ file, debianPackage string }{
	{"/usr/bin/taskset", "util-linux"},
	{"/usr/bin/time", "time"},
	{"/usr/bin/gcc", "gcc"},
	{debianCargo, "cargo"},
	{debianRustc, "rustc"},
	{"/usr/share/cargo/registry/tokio-*", "librust-tokio-dev"},
	{debianPython, "python3"},
	{debianNode, "nodejs"},
	{"/usr/bin/openssl", "openssl"},
	{"/usr/include/openssl/ssl.h", "libssl-dev"},
	{"/usr/lib/python3/dist-packages/uvloop", "python3-uvloop"},
	{"/usr/lib/python3/dist-packages/aiohttp", "python3-aiohttp"},
	{"/usr/lib/python3/dist-packages/scrapy", "python3-scrapy"},
	{"/usr/sbin/nginx", "nginx-light"},
	{"/usr/bin/wget", "wget"},
	{debianDoc, "python3-doc"},
}

// prepare builds every contender. One that cannot be built, or whose packages are
// not installed, is named, and its column stays empty.
func prepare() error {
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("needs two cores, one for servers and one for clients; this machine has %d", runtime.NumCPU())
	}
	var missing []string
	for _, n := range needed {
		if found, _ := filepath.Glob(n.file); len(found) == 0 {
			missing = append(missing, n.debianPackage)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "bench: missing, and so left out: apt-get install --no-install-recommends %s\n", strings.Join(missing, " "))
	}
	if err := os.MkdirAll(build, 0o755); err != nil {
		return err
	}
	for _, peer := range []string{"goroutines", "gonet", "gnet", "netpoll", "gohttp", "gofiles", "goprocesses", "colly"} {
		compile("go", "build", "-o", build+peer, "./peers/"+peer)
	}
	for _, our := range []string{"tasks", "echo", "udp", "http", "files", "processes"} {
		compile("go", "build", "-o", build+"our-"+our, "./ours/"+our)
	}
	compile("go", "build", "-C", "..", "-o", "bench/"+build+"asyncio", "./cmd/asyncio")
	for program, source := range map[string]string{"c-echo": "server", "echo-client": "client", "accept-client": "accept", "udp-client": "udp", "tls-client": "tls"} {
		args := []string{"gcc", "-O3", "-march=native", "-Wall", "-o", build + program, "peers/echo/" + source + ".c"}
		if source == "tls" {
			args = append(args, "-lssl", "-lcrypto")
		}
		compile(args...)
	}
	compile("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
		"-subj", "/CN=localhost", "-days", "30", "-keyout", build+"key.pem", "-out", build+"cert.pem")
	compile("sh", "-c", "cd peers/tokio && RUSTC="+debianRustc+" CARGO_TARGET_DIR=../../build/tokio "+debianCargo+" build --release --offline --quiet")
	return nil
}

func compile(args ...string) {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %v\n%s\n", strings.Join(args, " "), err, out)
	}
}

// loadBefore is the load average before this program added to it.
var loadBefore = func() string {
	load, _ := os.ReadFile("/proc/loadavg")
	lastMinute, _, _ := strings.Cut(string(load), " ")
	return lastMinute
}()

// machine describes the hardware, the system, and how busy it was.
func machine() string {
	model := "unknown processor"
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpuinfo)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%s, %d cores, load average %s before, Linux %s.", model, runtime.NumCPU(), loadBefore, says("uname", "-r"))
}

// versions names what was measured: ours by its commit, the peers by their releases.
func versions(p part) string {
	list := []string{"asyncio " + says("git", "rev-parse", "--short", "HEAD"), runtime.Version()}
	python := func(module string) string {
		return says(debianPython, "-c", "import "+module+"; print('"+module+"', "+module+".__version__)")
	}
	module := func(path string) string { return says("go", "list", "-m", path) }
	switch p.name {
	case echoPart.name, acceptPart.name, idlePart.name, tlsPart.name, udpPart.name:
		list = append(list, module("github.com/panjf2000/gnet/v2"), module("github.com/cloudwego/netpoll"), tokioVersion(),
			says(debianPython, "--version"), python("uvloop"), "Node "+says(debianNode, "--version"),
			says("openssl", "version"), says("gcc", "--version"))
	case filesPart.name, processesPart.name:
		list = append(list, says(debianPython, "--version"), python("uvloop"))
	case httpPart.name:
		list = append(list, says(debianPython, "--version"), python("aiohttp"), python("uvloop"), says("/usr/sbin/nginx", "-v"))
	case crawlPart.name:
		list = append(list, module("github.com/gocolly/colly/v2"), python("scrapy"), says("wget", "--version"), says("/usr/sbin/nginx", "-v"))
	case syncPart.name, groupsPart.name:
		list = append(list, module("golang.org/x/sync"))
		fallthrough
	default:
		list = append(list, says(debianPython, "--version"), python("uvloop"), tokioVersion(), says(debianRustc, "--version"))
	}
	return strings.Join(list, ", ") + "."
}

func tokioVersion() string {
	found, _ := filepath.Glob("/usr/share/cargo/registry/tokio-[0-9]*")
	if len(found) == 0 {
		return "no tokio"
	}
	return filepath.Base(found[0])
}

// says returns the first line that the command prints.
func says(args ...string) string {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return args[0] + " unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
