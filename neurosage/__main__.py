"""``python -m neurosage`` is ``neurosage``."""

from neurosage.cli import main

if __name__ == "__main__":
    main()
