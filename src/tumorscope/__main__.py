"""Run the command line with `python -m tumorscope`."""

from tumorscope.cli import main

main()
