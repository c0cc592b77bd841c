# make demo, make test: everything from a fresh checkout, with Python 3.11+ and make.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test lint venv starter kill-matrix

demo: venv
	@$(BIN)/python -m fewshot.data omniglot || { test $$? -ne 130 \
	  && echo "Without Omniglot, the demo takes generated glyphs." \
	  && $(BIN)/python -m fewshot.data glyphs; }
	@data=omniglot_resized; test -d $$data || data=glyphs; \
	echo "Training the reference solution until its test accuracy passes 91 %."; \
	$(BIN)/python solutions/hw1.py --num_shot 1 --num_classes 2 --data_folder $$data \
	  --train_steps 3000 --learning_rate 3e-3 --until_accuracy 0.91; \
	echo "Grading the reference solution, and then the starter as a student gets it."; \
	$(BIN)/python -m autograder grade solutions --data $$data --html runs/solutions.html; \
	$(BIN)/python -m autograder grade . --data $$data --train off --html runs/starter.html; \
	echo "Pages to look at: runs/solutions.html and runs/starter.html"

test: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

kill-matrix: venv
	@data=omniglot_resized; test -d $$data || data=glyphs; \
	$(BIN)/python -m tests.autograder.kill_matrix --data $$data

starter: venv
	$(BIN)/python -m autograder starter

venv: $(INSTALLED)

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or newer is needed, for example: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps easyfsl==1.5.0  # the tests compare with it, without torchvision
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $(INSTALLED)
