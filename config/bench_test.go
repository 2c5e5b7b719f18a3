package config

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkLoad1000(b *testing.B) { benchmarkLoad(b, 1000) }
func BenchmarkLoad5000(b *testing.B) { benchmarkLoad(b, 5000) }

func benchmarkLoad(b *testing.B, programs int) {
	var main strings.Builder
	for i := range programs {
		fmt.Fprintf(&main, "[program.p%d]\ncommand = [\"/usr/sbin/p\", \"-n\", \"%d\"]\nuser = \"root\"\nenvironment = { LANG = \"C\" }\nstop_timeout = \"5s\"\n\n", i, i)
	}
	m := memory{main: main.String()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := load("/main.toml", m); err != nil {
			b.Fatal(err)
		}
	}
}
