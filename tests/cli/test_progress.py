"""Progress on a terminal, and none elsewhere."""

import contextlib
import io
import os
import struct
import subprocess
import sys

import pytest

from sklearn_sae.cli import main

DEMO = ["demo", "--n-texts", "200", "--n-hypotheses", "3", "-M", "8", "-K", "2"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_line_for_each_step_on_a_terminal(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.csv").write_text("text,y\n" + "".join(f"text {i % 7} of {i},{i % 5}\n" for i in range(60)))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    sizes = ["--n-hypotheses", "2", "-M", "8", "-K", "2"]
    assert main(["discover", str(tmp_path / "a.csv"), "--text", "text", "--target", "y", *sizes]) == 0
    shown = terminal.getvalue()
    steps = ["Reading ", "Read 60 rows.", "Embedding ", "TopKSAETransformer: ", "naming: "]
    assert [shown.index(step) for step in steps] == sorted(shown.index(step) for step in steps)
    assert "Embedding" not in capsys.readouterr().out


def are_notes(lines):
    return all(line.startswith("Note: ") for line in lines)


def test_none_where_standard_error_is_no_terminal(capsys):
    assert main(DEMO) == 0
    assert are_notes(capsys.readouterr().err.splitlines())


def test_verbose_shows_it_anywhere(capsys):
    assert main([*DEMO, "--verbose"]) == 0
    assert "naming: 100%" in capsys.readouterr().err


def test_in_a_notebook():
    """There, standard output has no `reconfigure`."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main(DEMO) == 0
    assert "Held-out R²" in output.getvalue()
    assert not hasattr(output, "reconfigure")


@pytest.mark.slow
def test_a_true_terminal_and_a_true_pipe():
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    command = [sys.executable, "-m", "sklearn_sae", *DEMO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the other end has closed
            while some := os.read(screen, 4096):
                shown += some
        output = process.stdout.read()
    os.close(screen)
    assert process.returncode == 0
    assert b"Embedding 160 texts" in shown
    assert b"naming: 100%" in shown
    piped = subprocess.run(command, capture_output=True, check=True)
    assert are_notes(piped.stderr.decode().splitlines())
    assert piped.stdout == output
