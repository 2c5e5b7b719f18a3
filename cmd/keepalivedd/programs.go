package main

import (
	"cmp"
	"syscall"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// programs is the configuration as package supervise takes it. What many programs have alike is one value there, as it
// is here.
func (s *service) programs(c *settings.Config) []supervise.Program {
	users := map[*settings.User]*supervise.User{nil: nil}
	alike := map[*settings.Settings]*supervise.Program{}
	list := make([]supervise.Program, len(c.Programs))
	for i := range c.Programs {
		p := &c.Programs[i]
		common := alike[p.Settings]
		if common == nil {
			common = s.settings(p.Settings)
			alike[p.Settings] = common
		}
		if u := p.User; users[u] == nil && u != nil {
			users[u] = superviseUser(u)
		}
		q := &list[i]
		*q = *common
		q.Name, q.Command, q.User, q.Directory, q.Environment = p.Name, p.Command, users[p.User], p.Directory, p.Environment
		if read := p.ReadEnvironment; read != nil {
			q.FindEnvironment = func() (map[string]string, error) {
				s.reading.Lock() // one that hangs takes a thread
				defer s.reading.Unlock()
				return read()
			}
		}
		q.Restart = restarts[p.Restart]
		q.StopSignal, q.StopTimeout = syscall.Signal(p.StopSignal), cmp.Or(p.StopTimeout, -1) // 0s: at once
	}
	return list
}

// superviseUser is a user as package supervise takes it: one who is not known is looked for at each launch.
func superviseUser(u *settings.User) *supervise.User {
	user := &supervise.User{Name: u.Name, UID: u.UID, GID: u.GID, Groups: u.Groups, Home: u.Home, Shell: u.Shell}
	if !u.Known() {
		user.Find = func() (*supervise.User, error) {
			now, err := u.Find()
			if err != nil {
				return nil, err
			}
			return superviseUser(now), nil
		}
	}
	return user
}

// settings is a Program that has these and nothing else.
func (s *service) settings(c *settings.Settings) *supervise.Program {
	p := &supervise.Program{
		Setup: setup(c), Output: s.output(c.Output), RateLimit: c.RateLimit,
		Held: !c.Autostart, OneShot: c.Type == settings.Oneshot, Required: c.Required, Essential: c.Essential,
		PermanentExit: c.PermanentExit, ReloadSignal: syscall.Signal(c.ReloadSignal), Kill: kills[c.Kill],
	}
	if c.Memory > 0 || c.CPUWeight != nil || c.PIDs != nil {
		p.Resources = &supervise.Resources{Memory: int64(c.Memory)}
		if c.CPUWeight != nil {
			p.Resources.CPUWeight = *c.CPUWeight
		}
		if c.PIDs != nil {
			p.Resources.PIDs = *c.PIDs
		}
	}
	b := supervise.Backoff{Min: c.RestartDelay.Min, Max: c.RestartDelay.Max, ResetAfter: c.RestartDelay.ResetAfter}
	p.Backoff = &b
	if g := c.GiveUp; g != nil {
		p.GiveUp = &supervise.GiveUp{Tries: g.Tries, Within: g.Within}
	}
	if c.Ready != (settings.Ready{}) || c.Watchdog > 0 {
		p.Ready = &supervise.Ready{FD: c.Ready.FD, Notify: c.Ready.Notify, After: c.Ready.After, Timeout: c.ReadyTimeout,
			Watchdog: c.Watchdog}
	}
	if len(c.After)+len(c.Requires) > 0 {
		p.Order = &supervise.Order{After: c.After, Requires: c.Requires}
	}
	if k := c.Check; k != nil {
		p.Check = &supervise.Check{Command: k.Command, Every: k.Every, Timeout: k.Timeout, Failures: k.Failures,
			StartAfter: k.StartAfter}
	}
	if c.Gate != nil {
		p.Gate = &supervise.Gate{Command: c.Gate, Timeout: c.GateTimeout, Delay: c.GateDelay, Renew: c.GateRenew}
	}
	if c.OnChange != nil {
		p.Hook = &supervise.Hook{Command: c.OnChange, Timeout: c.OnChangeTimeout}
	}
	p.Listen = listen(c)
	return p
}

func setup(c *settings.Settings) *supervise.Setup {
	mask, masked := c.Umask.Mask()
	if !masked && c.Limits == nil && c.Nice == nil && c.OOMScoreAdj == nil && !c.NoNewPrivileges {
		return nil
	}
	u := &supervise.Setup{Nice: c.Nice, OOMScoreAdj: c.OOMScoreAdj, NoNewPrivileges: c.NoNewPrivileges}
	if masked {
		u.Umask = &mask
	}
	for _, l := range c.Limits {
		u.Limits = append(u.Limits, supervise.Limit{Name: l.Name(), Resource: l.Resource, Soft: l.Soft, Hard: l.Hard})
	}
	return u
}

var kills = map[settings.Kill]supervise.Kill{settings.Group: supervise.KillGroup,
	settings.Process: supervise.KillProcess}

var restarts = map[settings.Restart]supervise.Restart{
	settings.Always: supervise.Always, settings.OnFailure: supervise.OnFailure, settings.Never: supervise.Never,
}
