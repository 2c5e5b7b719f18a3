package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// issue 9.7: what metrics_file has reaches a real Prometheus by way of a real node_exporter, both of them programs
func TestPrometheusScrapes(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	for _, tool := range []string{"prometheus", "prometheus-node-exporter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs Debian's packages prometheus and prometheus-node-exporter: ", err)
		}
	}
	exporter, prometheus := freeAddress(t), freeAddress(t)
	w := newWorld(t, fmt.Sprintf(`metrics_file = "$DIR/texts/keepalivedd.prom"
[program.exporter]
command = ["/usr/bin/prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
	"--collector.textfile.directory=$DIR/texts", "--web.listen-address=%s"]
[program.prometheus]
command = ["/usr/bin/prometheus", "--config.file=$DIR/prometheus.yml", "--storage.tsdb.path=$DIR/series", "--web.listen-address=%s"]
[program.twice]
command = ["/bin/sh", "-c", "[ -e $DIR/once ] || { touch $DIR/once; exit 3; }; exec tail -n 0 -f $DIR/once"]
`, exporter, prometheus))
	if err := os.Mkdir(filepath.Join(w.dir, "texts"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 500ms}\n"+
		"scrape_configs: [{job_name: node, static_configs: [{targets: ['%s']}]}]\n", exporter)
	if err := os.WriteFile(filepath.Join(w.dir, "prometheus.yml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	p := w.up()
	for _, query := range []string{
		`count(keepalivedd_program_up == 1) == 3`,
		`keepalivedd_program_exits_total{program="twice",reason="failed"} == 1`,
		`keepalivedd_build_info == 1`,
		`node_textfile_scrape_error == 0`,
	} {
		for late := time.Now().Add(patience); !queried(prometheus, query); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("%s does not come to be so; the log:\n%s", query, w.read(w.log))
			}
		}
	}
	w.down(p)
}

// queried reports whether Prometheus finds anything.
func queried(address, query string) bool {
	reply, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return false // it is not there yet
	}
	defer reply.Body.Close()
	var found struct {
		Data struct{ Result []json.RawMessage }
	}
	return json.NewDecoder(reply.Body).Decode(&found) == nil && len(found.Data.Result) > 0
}

// freeAddress is an address on loopback that nobody has.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
