package settings

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func BenchmarkLoad1000(b *testing.B) { benchmarkLoad(b, 1000) }
func BenchmarkLoad5000(b *testing.B) { benchmarkLoad(b, 5000) }

func benchmarkLoad(b *testing.B, programs int) {
	var main strings.Builder
	for i := range programs {
		fmt.Fprintf(&main, "[program.p%d]\ncommand = [\"/usr/sbin/p\", \"-n\", \"%d\"]\nuser = \"root\"\n"+
			"environment = { LANG = \"C\" }\nstop_timeout = \"5s\"\n\n", i, i)
	}
	m := memory{main: main.String()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := load("/main.toml", m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadSettings5000 has programs that set what many installations set, and wait for each other.
func BenchmarkLoadSettings5000(b *testing.B) {
	b.ReportAllocs()
	m := memory{main: manySettings(5000)}
	for b.Loop() {
		if _, err := load("/main.toml", m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadInstances1000 has as many programs as a section can make, each with something of its own.
func BenchmarkLoadInstances1000(b *testing.B) {
	b.ReportAllocs()
	m := memory{main: manyInstances(1000)}
	for b.Loop() {
		if _, err := load("/main.toml", m); err != nil {
			b.Fatal(err)
		}
	}
}

func manyInstances(n int) string {
	return fmt.Sprintf(`[program.front]
command = ["/bin/front"]
after = ["worker", "worker:2"]
[program.worker]
instances = %d
command = ["/bin/worker", "-n", "%%i"]
environment = { LANG = "C", WORKER = "%%i" }
output = "/var/log/%%i.log"
check = { command = ["/bin/check", "%%i"] }
`, n)
}

func manySettings(n int) string {
	return programs(n+1, func(i int) string {
		if i == n {
			return ""
		}
		return fmt.Sprintf("after = [\"p%d\"]\noutput = \"syslog\"\nlimits = { nofile = 4096 }\n"+
			"check = { command = [\"/bin/true\"] }\n", i+1)
	})
}

// BenchmarkHeap reports the bytes that stay, a program, in a configuration of 5000: the command and the
// name of each are its own. Plain programs set nothing else; "same" set the same as all others; "own" set
// the same keys, but each something of its own.
func BenchmarkHeap(b *testing.B) {
	const n = 5000
	for name, main := range map[string]string{
		"plain": programs(n, func(int) string { return "" }),
		"same": programs(n,
			func(int) string { return "output = \"syslog\"\numask = \"027\"\nlimits = { nofile = 4096 }\n" }),
		"own": manySettings(n),
	} {
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				c, err := load("/main.toml", memory{main: main})
				if err != nil {
					b.Fatal(err)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(c)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/program")
		})
	}
}
