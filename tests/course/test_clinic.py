"""The recorded runs of notebook 08: each illness shows in its chart, and health notices it."""

import pytest
from wrong_answers.diagnosing import RIGHT

from dcgan_utils.exercises import diagnosing
from experiments import failures
from experiments.patients import CLINIC, HEALTHY, SICK
from experiments.tables import RESULTS, read

CHARTS = failures.charts(read(RESULTS / "failures.csv"))


def chart_of(patient):
    return CHARTS[patient.name, patient.seed]


def test_every_run_is_recorded():
    runs = [*SICK, *HEALTHY, *CLINIC]
    assert {(p.name, p.seed) for p in runs} == set(CHARTS) and len(HEALTHY) == 20
    for patient in runs:
        last = chart_of(patient)["step"][-1]
        assert last == patient.config.steps or patient.name == "NaN"


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_speaks_against_the_right_diagnosis_alone(name):
    fitting = [
        d for d in diagnosing.DIAGNOSES if not diagnosing.against(d, diagnosing.clinic()[name])
    ]
    assert fitting == [RIGHT[name][0]]


@pytest.mark.parametrize("patient", SICK, ids=lambda patient: patient.name)
def test_the_signs_fit_the_known_illnesses_too(patient):
    """Where an illness is on the clinic's list, its own recorded run is not contradicted."""
    if patient.name in diagnosing.DIAGNOSES:
        assert not diagnosing.against(patient.name, chart_of(patient))
    assert diagnosing.against("healthy", chart_of(patient))


def test_the_clinic_is_the_recorded_one():
    for patient in CLINIC:
        stored = diagnosing.clinic()[patient.name]
        assert "mode" not in stored and "seed" not in stored
        for column, values in stored.items():
            assert (values == chart_of(patient)[column]).all()


@pytest.mark.parametrize("patient", SICK, ids=lambda patient: patient.name)
def test_health_notices_what_is_sick(patient):
    said = failures.warnings_for(patient, chart_of(patient))
    stopped = chart_of(patient)["step"][-1] < patient.config.steps
    assert said or stopped


def test_health_is_silent_where_nothing_is_wrong():
    assert not [p.name for p in HEALTHY if failures.warnings_for(p, chart_of(p))]
