# Everything that is done with this house, one target each; `make` alone tells them.
SHELL := /bin/bash
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
BANYAN := .venv/bin/banyan
SIZE ?= county
HOURS ?= 1
KINDS := lint types imports tidy rules contracts flows faults
export PYTHONPATH := libs:.
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-province demo-typhoon down status test $(KINDS) bench bench-matching soak docs lock clean

help: ## 列出全部目标
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: ## 安装所缺的软件包与 .venv（可反复执行）
	@bin/bootstrap

demo: setup ## 启动整个平台并走完一遍主要流程；SIZE=county（默认）或 province
	@$(BANYAN) demo --size $(SIZE)

demo-province: ## 同上，全省规模
	@$(MAKE) --no-print-directory demo SIZE=province

demo-typhoon: setup ## 台风日：十万件求助、七万名社工（生成的），先到先得与全局最优相比；报告在 .run/typhoon
	@$(BANYAN) typhoon

down: setup ## 停止平台；不删除任何数据与密钥
	@$(BANYAN) down

status: setup ## 平台各部分的状况，以及异常时的下一步
	@$(BANYAN) status

test: setup ## 全部检查与测试，约十分钟，不需要任何外部服务
	@bin/test-all $(KINDS)

lint: setup ## 代码风格（ruff）
	@$(PY) -m ruff check libs services tests docs

types: setup ## 类型检查（mypy --strict）
	@$(PY) -m mypy

imports: setup ## 各层之间的引用关系（import-linter）
	@.venv/bin/lint-imports --no-cache --no-logo

tidy: setup ## 文件与函数的长短、时钟、术语、拒绝代码等房规
	@$(PYTEST) tests/tidy

rules: setup ## 业务规则，纯函数，数秒
	@$(PYTEST) tests/rules

contracts: setup ## 对外格式的快照
	@$(PYTEST) tests/contracts

flows: setup ## 完整流程，私有 PostgreSQL 与 RabbitMQ
	@$(PYTEST) tests/flows

faults: setup ## 故障：真的杀掉、冻结、切断
	@$(PYTEST) tests/faults

bench: setup ## 性能对比，结果写入 .run/bench.json
	@$(PY) -m tests.load.bench

bench-matching: setup ## 派单的性能与效果（数十分钟），结果写入 .run/bench-matching.json
	@$(PY) -m tests.load.bench_matching

soak: setup ## 浸泡：整个平台在负载下反复被杀、冻结、重启，HOURS 小时（缺省 1，可为小数），最后逐条证明；结果写入 .run/soak.json
	@$(PY) -m tests.load.soak --hours $(HOURS)

docs: setup ## 由代码重新生成 docs 中的拒绝代码、职责、状态图与接口文档
	@$(PY) -m banyan.cli.docs
	@$(PY) -m services.gateway.texts

lock: setup ## 由 requirements.in 重新生成 requirements.lock
	@$(PY) -m pip install --quiet uv
	@env -u PIP_FIND_LINKS -u UV_FIND_LINKS .venv/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --upgrade \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet requirements.in -o requirements.lock

clean: ## 删除缓存与测试留下的文件（不动演示数据、密钥与 .venv）
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find libs services tests -name __pycache__ -type d -prune -exec rm -rf {} +
