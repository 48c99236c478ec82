"""The recorded runs of notebook 08: each illness shows in its chart, and health notices it."""

import pytest
from wrong_answers.diagnosing import RIGHT

from dcgan_utils.exercises.diagnosing import DIAGNOSES, against, clinic
from experiments import failures
from experiments.patients import CLINIC, HEALTHY, SICK
from experiments.tables import RESULTS, read

CHARTS = failures.charts(read(RESULTS / "failures.csv"))


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_speaks_against_the_right_diagnosis_alone(name):
    fitting = [diagnosis for diagnosis in DIAGNOSES if not against(diagnosis, clinic()[name])]
    assert fitting == [RIGHT[name][0]]


def test_the_clinic_is_the_recorded_one():
    for patient in CLINIC:
        for column, values in clinic()[patient.name].items():
            assert (values == CHARTS[patient.name, patient.seed][column]).all()


@pytest.mark.parametrize("patient", SICK, ids=lambda patient: patient.name)
def test_an_illness_shows_and_health_notices_it(patient):
    chart = CHARTS[patient.name, patient.seed]
    assert against("healthy", chart)
    assert patient.name not in DIAGNOSES or not against(patient.name, chart)
    stopped = chart["step"][-1] < patient.config.steps
    assert stopped or failures.warnings_for(patient, chart)


def test_health_is_silent_where_nothing_is_wrong():
    assert not [p.name for p in HEALTHY if failures.warnings_for(p, CHARTS[p.name, p.seed])]
