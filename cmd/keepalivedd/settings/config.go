// Package settings reads keepalivedd.toml(5) into a checked value.
//
// A [Config] that [Load] returns can be used as it is: every default is filled in, every file that it
// includes is merged, and every value was checked. When something in it is wrong Load returns no Config,
// and tells all mistakes at once, each with its place. What the configuration asks for and the system
// lacks, such as an executable or a user, is told in the same way in [Config.Lacking].
//
// Each field of the schema below is one key. Package config tells what its tags mean, and reads it; here is what only
// keepalivedd knows.
package settings

import "time"

// Config is the whole configuration. It keeps no reference to the files that it was read from.
type Config struct {
	_ [0][]string `toml:"include,include" doc:"files to read too, as patterns relative to this file's directory; they hold programs only"`

	// PIDFile is an absolute path, or "none".
	PIDFile string `toml:"pidfile" default:"/run/keepalivedd.pid" is:"none /" reload:"no" doc:"the file that holds the daemon's process ID and its lock"`
	// StartTimeout bounds the time from the start to readiness.
	StartTimeout time.Duration `toml:"start_timeout" default:"90s" is:"positive" doc:"how long a start in the background may take until the daemon is ready; then it is stopped and has failed"`
	// ShutdownTimeout bounds the time that stopping all programs may take together.
	ShutdownTimeout time.Duration `toml:"shutdown_timeout" default:"30s" is:"positive" doc:"how long the stop of all programs, and the shutdown command, may take together; then all that is left is killed"`
	// Cgroups says whether each program is given a cgroup.
	Cgroups Cgroups `toml:"cgroups" default:"auto" is:"auto off require" reload:"no" doc:"whether each program gets a cgroup, which tells all that it has started: if one can be had, never, or it must"`

	// MetricsFile is an absolute path, or "" for none.
	MetricsFile string `toml:"metrics_file" is:"/" doc:"a file NAME.prom to write metrics to, for the textfile collector of node_exporter; none when not set"`

	Log Log `toml:"log" doc:"where the daemon's own messages go"`
	// Control says who may ask the daemon; nil: as its zero value does.
	Control *Control `toml:"control" doc:"who may ask the daemon over its socket, but for root and the daemon's own user"`
	// Events says who is told of all changes; nil when nobody is.
	Events *Events `toml:"events" doc:"a command that is kept running, and is told of all changes"`
	// Startup is run before the first program is started, Shutdown after the last one has been
	// stopped; nil when there is none.
	Startup  *Hook `toml:"startup" doc:"a command that is run before the first program is started; its failure is the start's"`
	Shutdown *Hook `toml:"shutdown" doc:"a command that is run after the last program has been stopped"`
	// Programs is sorted by name, instances of a section by their numbers, and no name is there twice.
	Programs []Program `toml:"program" doc:"the programs to be kept running, each under its name"`

	// Warnings are what is right, and may still not be what was meant; nil when there is nothing of the kind.
	Warnings Errors
	// Files are the files that were read, the main one first; an environment_file is none of them, but one of
	// EnvironmentFiles, whether it could be read or not.
	Files            []string
	EnvironmentFiles []string
	// Lacking is what the system did not have, when the configuration was read, of what it asks for, as far as looking
	// can tell: files, directories, users, and what this process may do. A program that lacks something cannot be started
	// until it is there. What only this process may not, and root may, is [fs.ErrPermission].
	Lacking Errors

	sections map[string]*section // with instances, by name
}

// Log says where the daemon's own messages go, and what its programs write.
type Log struct {
	// To is "syslog", "stderr", or the absolute path of a file.
	To string `toml:"to" default:"syslog" is:"syslog stderr /" doc:"where messages go; a file is opened anew at a reload; stderr is for the foreground only"`
	// Facility is the syslog facility; it means nothing unless To is "syslog".
	Facility string `toml:"facility" default:"daemon" is:"daemon user local0 local1 local2 local3 local4 local5 local6 local7" doc:"the facility of messages to syslog"`
	// Level is the least severe level that is logged.
	Level string `toml:"level" default:"info" is:"debug info warn error" doc:"the least severe messages that are logged"`
	// Keep bounds what is kept of the output of all programs together.
	Keep Kept `toml:"keep" default:"4M" doc:"memory for the last lines of all programs together; those who have written the most lose their oldest first"`
}

// Control says who may ask the daemon.
type Control struct {
	// Group is the one whose members may ask what changes nothing; nobody's when it is zero.
	Group GroupName `toml:"group" doc:"members of this group may ask what changes nothing, such as status; nobody may when not set"`
}

// Events says who is told of all changes.
type Events struct {
	Command Command `toml:"command" is:"required" doc:"the absolute path of the executable, and its arguments; it reads events, JSON by lines, from standard input"`
}

// Hook is a command of the daemon itself.
type Hook struct {
	Command Command       `toml:"command" is:"required" doc:"the absolute path of the executable, and its arguments"`
	Timeout time.Duration `toml:"timeout" default:"10s" is:"positive" doc:"how long it may run until it is killed and has failed"`
}

// Program is one program to be kept running.
type Program struct {
	// Name is the NAME of [program.NAME], or NAME:1, NAME:2 and so on of a section with instances.
	// Only these have a colon.
	Name string `toml:",key"`
	// Command is the absolute path of the executable and its arguments; it is never empty.
	Command Command `toml:"command" is:"required" aka:"cmd exec exec_start" doc:"the absolute path of the executable, and its arguments"`
	// User is who the program runs as, once it is [User.Known]; nil means as the daemon itself. Programs of the
	// same user share one value: do not change it.
	User *User `toml:"user" aka:"uid group run_as" doc:"who the program runs as, with all groups of that user; the daemon's own user when not set"`
	// Directory is the absolute path in which the program is started.
	Directory string `toml:"directory" default:"/" is:"/" aka:"cwd chdir workdir working_dir working_directory" doc:"the directory in which the program is started"`
	// Environment is added to the program's environment; nil when there is nothing to add. What
	// environment_file has is in it. Programs may share one value: do not change it.
	Environment Environment `toml:"environment" aka:"env environ" doc:"variables to add to the program's clean environment"`
	// ReadEnvironment is nil, unless environment_file could not be read: then it reads it, and gives the whole
	// Environment. The program must not run without.
	ReadEnvironment func() (Environment, error)

	_ [0]string `toml:"environment_file" is:"/" aka:"env_file" doc:"a file of lines NAME=VALUE to add to environment, which wins; read at start and reload"`
	// Restart says what follows when the program ends by itself.
	Restart Restart `toml:"restart" default:"always" is:"always on-failure never" aka:"autorestart respawn" doc:"when it is started again after its end; on-failure: unless the status was 0; the default of a oneshot"`
	// StopSignal asks the program to end.
	StopSignal Signal `toml:"stop_signal" default:"TERM" aka:"stopsignal kill_signal" doc:"the signal that asks the program, with its whole group (see kill), to end"`
	// StopTimeout is the time between StopSignal and SIGKILL; 0 means to kill at once.
	StopTimeout time.Duration `toml:"stop_timeout" default:"10s" aka:"stopwaitsecs stop_grace_period timeout_stop_sec" doc:"the time from stop_signal to SIGKILL; 0s to kill at once"`
	// Settings is never nil in what [Load] returns.
	*Settings
}

// Settings are the keys of a program that few programs set. Programs whose settings are equal share
// one value, because there may be thousands: do not change it.
type Settings struct {
	// Instances is how many programs the section of this one makes; nil when it is itself the only one.
	Instances *int `toml:"instances" is:"1..1000" aka:"numprocs replicas" doc:"how many programs the section makes, NAME:1 and so on, with %i in its strings for the number; NAME alone when not set"`

	// Umask is the program's file mode creation mask.
	Umask Umask `toml:"umask" doc:"the program's file mode creation mask, in octal; the daemon's, 022, when not set"`
	// Limits are the resource limits that differ from the daemon's, by number; nil when there are none.
	Limits Limits `toml:"limits" aka:"ulimit ulimits rlimits" doc:"resource limits: a number for both, \"SOFT:HARD\", or \"unlimited\"; the daemon's when not set"`
	// Nice is the priority, OOMScoreAdj what is added to the kernel's score; nil leaves them as they are.
	Nice        *int `toml:"nice" is:"-20..19" doc:"the scheduling priority, from -20, the most favoured, to 19; the daemon's when not set"`
	OOMScoreAdj *int `toml:"oom_score_adj" is:"-1000..1000" doc:"how readily the kernel kills it when memory runs out; -1000 is never; what the daemon was started with when not set"`
	// NoNewPrivileges is the process attribute of that name, see prctl(2).
	NoNewPrivileges bool `toml:"no_new_privileges" default:"false" doc:"whether set-user-ID files and the like give the program no more rights"`

	// Memory, CPUWeight and PIDs are what the cgroup of the program lets it have; 0 or nil when nothing is said.
	Memory    Bytes `toml:"memory" aka:"mem_limit memory_limit memory_max" doc:"the memory that all its processes may have together; needs a cgroup with the controller memory; no bound when not set"`
	CPUWeight *int  `toml:"cpu_weight" is:"1..10000" doc:"its share of the processors while they are short, beside others with 100; needs a cgroup with the controller cpu"`
	PIDs      *int  `toml:"pids" is:"1.." aka:"pids_limit tasks_max" doc:"how many processes and threads it may have; needs a cgroup with the controller pids; no bound when not set"`

	// Autostart says whether the program is started without being asked for.
	Autostart bool `toml:"autostart" default:"true" aka:"enabled" doc:"whether it is started when it is new to the daemon; with false it is held until somebody asks for it, by up or restart"`

	// Type is what the program's end with status 0 means.
	Type Type `toml:"type" default:"service" is:"service oneshot" doc:"a service keeps running; a oneshot is done when it has ended with status 0"`
	// RestartDelay is the time between an end and the next start.
	RestartDelay RestartDelay `toml:"restart_delay" aka:"backoff restart_sec" doc:"the time from an end to the next start"`
	// GiveUp says when failing often is final; nil means never.
	GiveUp *GiveUp `toml:"give_up" aka:"startretries" doc:"when to stop trying; never when not set"`
	// PermanentExit are statuses after which the program is not started again.
	PermanentExit []int `toml:"permanent_exit" is:"0..255" doc:"exit statuses after which the program is not started again"`

	// Ready says how the program becomes ready; at once when it is zero.
	Ready Ready `toml:"ready" aka:"startsecs" doc:"what makes it ready: a newline on descriptor N, READY=1 to NOTIFY_SOCKET, or that long a life; at once when not set"`
	// ReadyTimeout bounds the time from the start of the program to that.
	ReadyTimeout time.Duration `toml:"ready_timeout" default:"60s" is:"positive" doc:"how long the program may take to tell that it is ready; then it is stopped and has failed"`
	// After and Requires name the programs that have to be ready before this one is started. They
	// exist, and do not wait for each other in a circle. All instances of a section are named that the file names.
	After    []string `toml:"after" doc:"programs to be ready before, and stopped after, this one; one that ended for good is not waited for"`
	Requires []string `toml:"requires" aka:"depends depends_on dependencies" doc:"as after, but one that has failed for good is waited for; this one is not stopped when they die"`
	// Required makes the daemon's own readiness wait for the program's.
	Required bool `toml:"required" default:"false" doc:"whether a start waits until the program is ready, or has lived for a second when ready is not set, and fails when it fails"`
	// Essential makes the program's end for good the daemon's.
	Essential bool `toml:"essential" default:"false" doc:"whether the daemon stops all and ends with the program's status when the program ends for good"`

	// Output is "log", "inherit", "null", "syslog", or the absolute path of a file.
	Output string `toml:"output" default:"log" is:"log inherit null syslog /" aka:"logfile stdout stderr stdout_logfile" doc:"where its output goes: the daemon's log, standard output (none in the background), nowhere, syslog, or a file, which loses none"`
	// RateLimit is in lines per second; 0 means that there is none.
	RateLimit int `toml:"rate_limit" default:"0" is:"0.." doc:"lines of output per second, but of output = \"inherit\"; the rest is dropped and counted; 0 for no limit"`

	// Check is asked whether the program works; nil when nothing is.
	Check *Check `toml:"check" aka:"healthcheck health_check" doc:"a command that tells by its status whether the program works; failing, it is restarted"`
	// Watchdog is the longest time between two signs of life; 0 means that none is expected.
	Watchdog time.Duration `toml:"watchdog" default:"0s" doc:"the longest time, once it is ready, between two WATCHDOG=1 to NOTIFY_SOCKET before it is restarted; 0s for none"`

	// Gate holds the permission to run the program; nil when none is needed.
	Gate Command `toml:"gate" doc:"a command whose first line of output, KEEPALIVEDD_GATE for the program, permits it to run, and whose end takes that back"`
	// GateTimeout and GateRenew are how long a program may run on that has lost its permission, and GateDelay is
	// how long one that has got it waits for that. GateRenew is 0 for a gate that does not renew it.
	GateTimeout time.Duration `toml:"gate_timeout" default:"5s" is:"positive" doc:"the time from the loss of the gate to SIGKILL, unless stop_timeout is shorter"`
	GateRenew   time.Duration `toml:"gate_renew" default:"0s" doc:"the longest silence of a gate that writes a line at each renewal before it is lost; 0s for a gate that does not"`
	GateDelay   time.Duration `toml:"gate_delay" default:"0s" doc:"the time from the first line of the gate to the start of the program, for the one before to be dead"`

	// Listen is what the daemon listens on for the program, and ListenWhenDown says whether it does so while there is no
	// process; nil: it does, unless there is a Gate.
	Listen         Sockets `toml:"listen" aka:"sockets" doc:"sockets it gets from descriptor 3 on (LISTEN_FDS), which outlive its restarts: \"tcp:0.0.0.0:80\" and the like, or tables"`
	ListenWhenDown *bool   `toml:"listen_when_down" doc:"whether who connects while it is down waits, or is refused; true when not set, but false with a gate"`

	// Kill is what of the program the signals go to.
	Kill Kill `toml:"kill" default:"group" is:"group process" aka:"kill_mode" doc:"what is ended with it: its process group; or its process alone, and what that has started lives on"`

	// ReloadSignal is sent at a reload that changed nothing but the Environment of what the program runs as, in place of a
	// restart; 0 means to restart.
	ReloadSignal Signal `toml:"reload_signal" doc:"the signal that the main process gets at a reload, in place of a restart, when only environment has changed"`
	// OnChange is run at each change of state; nil when nothing is.
	OnChange        Command       `toml:"on_change" aka:"on_failure" doc:"a command that is run, with the states in its environment, when the program's state changes; one at a time, and then the latest"`
	OnChangeTimeout time.Duration `toml:"on_change_timeout" default:"10s" is:"positive" doc:"how long on_change may run until it is killed"`
}

// RestartDelay grows from Min, doubling, to Max, and begins anew after a life of ResetAfter.
type RestartDelay struct {
	Min        time.Duration `toml:"min" default:"1s" is:"positive" doc:"the first delay that is not zero; it doubles from failure to failure"`
	Max        time.Duration `toml:"max" default:"60s" is:"positive" doc:"the longest delay"`
	ResetAfter time.Duration `toml:"reset_after" default:"60s" is:"positive" doc:"how long the program has to live for the delay to begin anew"`
}

// GiveUp says that a program has failed for good when it ended Tries times within Within.
type GiveUp struct {
	Tries  int           `toml:"tries" is:"required 1.." doc:"how many failures are final"`
	Within time.Duration `toml:"within" default:"5m" is:"positive" doc:"the time in which they have to happen"`
}

// Check is a command that is run again and again while the program is.
type Check struct {
	Command    Command       `toml:"command" is:"required" doc:"the absolute path of the executable, and its arguments; status 0 means that all is well"`
	Every      time.Duration `toml:"every" default:"10s" is:"positive" doc:"the time from the end of one run to the next"`
	Timeout    time.Duration `toml:"timeout" default:"5s" is:"positive" doc:"how long it may run until it is killed and has failed"`
	Failures   int           `toml:"failures" default:"3" is:"1.." doc:"how many failures in a row restart the program"`
	StartAfter time.Duration `toml:"start_after" default:"0s" doc:"the time from the program being ready to the first run"`
}

// limits are the keys of the table of limits. [Limits] is what becomes of it. RLIMIT_NICE and
// RLIMIT_RTTIME are left out: the first counts backwards and is mistaken for nice.
type limits struct {
	AS         *size  `toml:"as" doc:"bytes of address space"`
	Core       *size  `toml:"core" doc:"bytes of a core file"`
	CPU        *count `toml:"cpu" doc:"seconds of processor time"`
	Data       *size  `toml:"data" doc:"bytes of data segment"`
	FSize      *size  `toml:"fsize" doc:"bytes of a file that the program writes"`
	Locks      *count `toml:"locks" doc:"file locks; no effect since Linux 2.4.25"`
	MemLock    *size  `toml:"memlock" doc:"bytes locked into memory"`
	MsgQueue   *size  `toml:"msgqueue" doc:"bytes in POSIX message queues, of all processes of the user"`
	NoFile     *count `toml:"nofile" doc:"open file descriptors"`
	NProc      *count `toml:"nproc" doc:"processes and threads of the user"`
	RSS        *size  `toml:"rss" doc:"bytes of resident memory; no effect since Linux 2.4.30"`
	RTPrio     *count `toml:"rtprio" doc:"real-time priority that the program may take"`
	SigPending *count `toml:"sigpending" doc:"queued signals, of all processes of the user"`
	Stack      *size  `toml:"stack" doc:"bytes of the main thread's stack"`
}

// Type says what a program is for.
type Type string

// The values of [Type].
const (
	Service Type = "service"
	Oneshot Type = "oneshot"
)

// Restart says when a program that has ended is started again.
type Restart string

// The values of [Restart].
const (
	Always    Restart = "always"
	OnFailure Restart = "on-failure" // unless it ended with status 0
	Never     Restart = "never"
)

// Cgroups says whether each program is given a cgroup.
type Cgroups string

// The values of [Cgroups].
const (
	Auto    Cgroups = "auto" // where one can be had
	Off     Cgroups = "off"
	Require Cgroups = "require"
)

// Kill says what of a program is signalled.
type Kill string

// The values of [Kill].
const (
	Group   Kill = "group"
	Process Kill = "process"
)
