"""`python -m instructor`: the command `instructor`, for a Python whose scripts are not on the path."""

from instructor.cli import main

if __name__ == "__main__":
    main()
